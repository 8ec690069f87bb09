/* Copyright (c) 2026 the kubenet.vxlan_offload authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
// Before and after: counts of what changed, and the list of it.

const MOST_CHANGES = 200;

function statusCell(one) {
  return one ? el('span', {}, badge(one.status), el('span', {class: 'detail'}, node(one.summary))) : 'not there';
}

function showChanges(place, changes, open) {
  const counts = Object.fromEntries(CHANGES.map((change) => [change, changes.filter((one) => one.change === change).length]));
  const lines = el('div', {});
  const buttons = CHANGES.map((change) => el('button', {
    type: 'button', 'aria-pressed': 'false', 'data-change': change, disabled: counts[change] === 0, onclick: () => choose(change),
  }, `${counts[change].toLocaleString('en')} ${CHANGE_TEXT[change]}`));
  function choose(change) {
    buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.change === change)));
    const chosen = changes.filter((one) => one.change === change);
    const rows = chosen.slice(0, MOST_CHANGES).map((one) => [
      one.after ? el('a', {href: '#node=' + encodeURIComponent(one.name), onclick: () => open(one.name)}, node(one.name)) : node(one.name),
      statusCell(one.before), statusCell(one.after),
    ]);
    const more = chosen.length - MOST_CHANGES;
    lines.replaceChildren(table(`Nodes that are ${CHANGE_TEXT[change]}`, ['Node', 'Before', 'After'], rows),
      more > 0 ? el('p', {class: 'more'}, `${more.toLocaleString('en')} more`) : '');
  }
  document.getElementById('compare').classList.remove('unused');
  place.replaceChildren(el('p', {role: 'status'}, sentence(counts)), el('ul', {class: 'changes'}, buttons.map((button) => el('li', {}, button))), lines);
  const first = CHANGES.find((change) => counts[change] && change !== 'same');
  if (first) choose(first);
}

function sentence(counts) {
  const said = CHANGES.filter((change) => change !== 'same' && counts[change]).map((change) => `${counts[change].toLocaleString('en')} ${CHANGE_TEXT[change]}`);
  return said.length ? `Since the earlier report: ${said.join(', ')}.` : 'Nothing changed since the earlier report.';
}

function startCompare(data, hosts, unpack, open) {
  const place = document.getElementById('changes');
  const complaint = document.getElementById('compare-error');
  const after = new Map(hosts.map((host) => [host.name, {status: host.status, summary: host.columns.summary}]));
  if (data.before) {
    const before = new Map(data.before.map(([name, number]) => {
      const diagnosis = unpack(number);
      return [name, {status: statusOf(diagnosis), summary: text(diagnosis.summary)}];
    }));
    showChanges(place, compared(before, after), open);
  }
  document.getElementById('compare').hidden = false;
  document.getElementById('earlier').addEventListener('change', async (event) => {
    const file = event.target.files[0];
    if (!file) return;
    complaint.hidden = true;
    try {
      showChanges(place, compared(earlierReport(await file.text()), after), open);
    } catch (error) {
      complaint.textContent = shown(error.message);
      complaint.hidden = false;
    }
  });
}
