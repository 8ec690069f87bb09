/* Copyright (c) 2026 the kubenet.vxlan_offload authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
// All that is known of one node.

const CONDITIONS = {
  vxlan: 'A VXLAN device carries Service traffic', kernel_defect: 'The kernel has the defect',
  offload: 'The checksum is left to the device', rewrite: 'NAT can rewrite the tunnel packet',
};
const VERSIONS = {kernel: 'Kernel', os: 'System', cni: 'CNI', kube_proxy: 'kube-proxy', mode: 'kube-proxy mode', iptables: 'iptables', machine: 'Machine'};

function versions(diagnosis) {
  const found = diagnosis.node || {};
  return el('dl', {class: 'versions'}, Object.entries(VERSIONS).map(([key, label]) => el('div', {class: found[key] ? '' : 'none'},
    el('dt', {}, label), el('dd', {}, node(text(found[key]) || 'not known')))));
}

function conditions(found, name) {
  const rows = Object.keys(CONDITIONS).filter((key) => found && found[key]).map((key) => [
    CONDITIONS[key], holds(found[key].holds), node(found[key].evidence), el('code', {}, node(found[key].source)),
  ]);
  return rows.length ? [el('h4', {}, 'Conditions: the node is affected when all four hold'),
    table(`Conditions of ${name}`, ['Condition', 'Holds', 'Evidence', 'Source'], rows)] : [];
}

// Not a verdict, so without the colours of one: only "all four" is bad.
function holds(word) {
  return badge({yes: 'yes', no: 'no', maybe: 'maybe'}[word] || 'unknown');
}

function rules(device) {
  const way = device.way || {};
  const items = stepsOf(device).map((step) => el('li', {},
    el('code', {}, node(`${step.packet} ${step.table} ${step.chain} ${step.number} ${step.rule}`)), ' ',
    step.effect ? el('span', {class: 'effect'}, `${step.matched === 'maybe' ? 'may match; ' : ''}${effectText(step, way)}; mark ${step.mark}`) : ''));
  if (!items.length) return el('p', {}, 'No rule was met.');
  return el('details', {}, el('summary', {}, `Every rule that the packet met (${items.length}), in full`), el('ol', {class: 'rules'}, items));
}

function mitigations(found) {
  if (!found.length) return [];
  return [el('h4', {}, 'What keeps it safe'), table('Mitigations', ['Mitigation', 'Put there by', 'Evidence'],
    found.map((one) => [node(one.id), node(one.owner), node(one.evidence)]))];
}

function deviceParts(device) {
  const way = device.way;
  const assumed = way && way.assumed ? el('p', {class: 'notice'}, 'There are no kube-proxy rules on this node yet. The picture has those that an old kube-proxy would write.') : '';
  return [
    el('h4', {}, 'The way of a packet over ', node(device.name), ' ', badge(statusOf(device))), assumed,
    way ? picture(device) : el('p', {class: 'notice'}, 'There is no picture: the rules were not read, or the report is of an earlier version.'),
    rules(device), ...conditions(device.conditions, device.name), ...mitigations(list(device.mitigations)),
  ];
}

function survives(found) {
  const words = {sync: 'kube-proxy sync', cni_restart: 'CNI restart', reboot: 'reboot'};
  return Object.entries(words).filter(([key]) => found && found[key]).map(([, word]) => word).join(', ') || 'nothing by itself';
}

function remedies(found) {
  if (!found.length) return [];
  const rows = found.map((one) => [
    el('strong', {}, node(one.id)), node(one.what), one.applicable ? badge(statusOf(one)) : 'not applicable', node(one.cost),
    survives(one.survives), node(one.risk || one.reason || 'none known'),
  ]);
  return [el('h4', {}, 'Remedies, the first one first; each was simulated on this node\'s facts'),
    table('Remedies', ['Remedy', 'What it does', 'Node would be', 'Cost', 'Survives', 'Risk, or why not'], rows)];
}

function bullets(title, items) {
  return items.length ? [el('h4', {}, title), el('ul', {}, items.map((item) => el('li', {}, item)))] : [];
}

function missing(found) {
  if (!found.length) return [];
  return [el('h4', {}, 'What could not be read'), table('Missing facts', ['Fact', 'Why', 'How to get it'],
    found.map((one) => [node(one.fact), node(one.reason), node(one.how)]))];
}

function nodeDetail(name, status, diagnosis) {
  const probe = diagnosis.probe;
  return el('div', {class: 'node', role: 'group', 'aria-label': name},
    el('h3', {}, node(name), ' ', badge(status)),
    el('p', {class: 'verdict'}, node(diagnosis.summary)),
    el('p', {}, el('strong', {}, 'What to do: '), node(diagnosis.action)),
    el('p', {}, 'TCP to Services ', badge(text(diagnosis.tcp)), ' UDP to Services ', badge(text(diagnosis.udp))),
    probe ? el('p', {}, el('strong', {}, 'Asked with real packets: '), node(`${text(probe.verdict)}; ${text(probe.reason)}`)) : '',
    versions(diagnosis),
    list(diagnosis.devices).flatMap(deviceParts),
    list(diagnosis.devices).length ? [] : conditions(diagnosis.conditions, name),
    remedies(list(diagnosis.remedies)), missing(list(diagnosis.missing)),
    bullets('The real fix', list(diagnosis.upgrade).map(node)),
    bullets('Workarounds that can go', list(diagnosis.unneeded).map(node)),
    bullets('Other faults that look the same', list(diagnosis.lookalikes).map(node)));
}
