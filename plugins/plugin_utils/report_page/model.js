/* Copyright (c) 2026 the kubenet.vxlan_offload authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
// The data of the page, and what can be asked of it. Nothing here touches the document.

const STATUSES = ['affected', 'exposed', 'unknown', 'mitigated', 'unaffected'];
const ICONS = {affected: '✕', exposed: '▲', unknown: '?', mitigated: '◆', unaffected: '✓'};
const CHANGES = ['worse', 'cured', 'better', 'new', 'gone', 'same'];
const CHANGE_TEXT = {
  worse: 'worse', cured: 'cured', better: 'better', new: 'new', gone: 'gone', same: 'unchanged',
};

const list = (value) => (Array.isArray(value) ? value : []);
const text = (value) => (value === null || value === undefined ? '' : String(value));
const statusOf = (diagnosis) => (STATUSES.includes(diagnosis.status) ? diagnosis.status : 'unknown');

// Every value is in the pool once; lists and objects hold the numbers of their parts.
function unpacker(pool) {
  const found = new Map();
  return function unpack(number) {
    if (found.has(number)) return found.get(number);
    const stored = pool[number];
    let value = stored;
    if (Array.isArray(stored)) value = stored.map(unpack);
    else if (stored !== null && typeof stored === 'object') {
      value = Object.create(null);
      for (const [key, part] of Object.entries(stored)) value[key] = unpack(part);
    }
    found.set(number, value);
    return value;
  };
}

// One row of the list of nodes. Hosts with one diagnosis share everything but their name.
function makeHosts(data, unpack) {
  const shared = new Map();
  const columns = (number, status) => {
    if (!shared.has(number)) {
      const diagnosis = unpack(number);
      const node = diagnosis.node || {};
      const found = {
        status: STATUSES.indexOf(status), tcp: text(diagnosis.tcp), udp: text(diagnosis.udp),
        summary: text(diagnosis.summary), action: text(diagnosis.action), kernel: text(node.kernel),
        cni: text(node.cni), proxy: [text(node.kube_proxy), text(node.mode)].filter(Boolean).join(' '),
      };
      found.words = [status, found.summary, found.action, found.kernel, found.cni, found.proxy, text(node.os)].join('\n').toLowerCase();
      shared.set(number, found);
    }
    return shared.get(number);
  };
  return data.hosts.map(([name, number, cause, action, remedy, status]) => ({
    name, number, cause, action, remedy, status, low: name.toLowerCase(), columns: columns(number, status),
  }));
}

const byName = new Intl.Collator('en', {numeric: true}).compare;

function filtered(hosts, wanted) {
  const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
  return hosts.filter((host) => (!wanted.status || host.status === wanted.status)
    && (wanted.cause === '' || host.cause === Number(wanted.cause))
    && (wanted.action === '' || host.action === Number(wanted.action))
    && (!wanted.remedy || host.remedy === wanted.remedy)
    && (!wanted.change || host.change === wanted.change)
    && words.every((word) => host.low.includes(word) || host.columns.words.includes(word)));
}

// Host names are in order of their names already, so that equal hosts stay so: sort() is stable.
function sorted(hosts, column, down) {
  if (column === 'name') return down ? hosts.slice().reverse() : hosts;
  const key = (host) => host.columns[column];
  const compare = column === 'status' ? (a, b) => a - b : byName;
  return hosts.slice().sort((a, b) => (down ? compare(key(b), key(a)) : compare(key(a), key(b))));
}

const safe = (status) => status === 'mitigated' || status === 'unaffected';

function changeOf(before, after) {
  const from = STATUSES.indexOf(before);
  const to = STATUSES.indexOf(after);
  if (from === to) return 'same';
  if (to < from) return 'worse';
  return safe(after) && !safe(before) ? 'cured' : 'better';
}

// What became of each node. before and after: Map of name to {status, summary}.
function compared(before, after) {
  const found = [];
  for (const [name, now] of after) {
    const then = before.get(name);
    found.push({name, before: then || null, after: now, change: then ? changeOf(then.status, now.status) : 'new'});
  }
  for (const [name, then] of before) if (!after.has(name)) found.push({name, before: then, after: null, change: 'gone'});
  return found.sort((a, b) => CHANGES.indexOf(a.change) - CHANGES.indexOf(b.change) || byName(a.name, b.name));
}

// A fleet.json that the user chose: only what a comparison needs is taken from it.
function earlierReport(content) {
  let report = null;
  try {
    report = JSON.parse(content);
  } catch (error) {
    throw new Error('this file is no JSON: choose a fleet.json');
  }
  const hosts = report && report.hosts;
  if (!hosts || typeof hosts !== 'object' || Array.isArray(hosts)) throw new Error('this file has no hosts: choose a fleet.json');
  const found = new Map();
  for (const [name, diagnosis] of Object.entries(hosts)) {
    if (!diagnosis || typeof diagnosis !== 'object') throw new Error('this file has a host without a diagnosis: choose a fleet.json');
    found.set(name, {status: statusOf(diagnosis), summary: text(diagnosis.summary)});
  }
  return found;
}
