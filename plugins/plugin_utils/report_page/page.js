/* Copyright (c) 2026 the kubenet.vxlan_offload authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
// The list of nodes: search, filter, sort, pages, one node opened; all of it in the address, so that it can be sent on.

const PAGE = 50;
const MOST_PRINTED = 1000;
const NONE = {status: '', cause: '', action: '', remedy: '', q: '', sort: 'status', down: '', page: '', node: ''};
const COLUMNS = [
  ['name', 'Node', 'name'], ['status', 'Status', 'short'], ['summary', 'Why', 'wide'], ['action', 'What to do', ''],
  ['kernel', 'Kernel', ''], ['proxy', 'kube-proxy', 'short'],
];

const data = JSON.parse(document.getElementById('data').textContent);
const unpack = unpacker(data.pool);
const hosts = makeHosts(data, unpack).sort((a, b) => byName(a.name, b.name));
const byHost = new Map(hosts.map((host) => [host.name, host]));
let wanted = {...NONE};
let rows = [];

function read() {
  const found = new URLSearchParams(location.hash.slice(1));
  wanted = {...NONE};
  for (const key of Object.keys(NONE)) if (found.has(key)) wanted[key] = found.get(key);
  if (!COLUMNS.some(([key]) => key === wanted.sort)) wanted.sort = 'status';
}

function write(changes) {
  wanted = {...wanted, ...changes};
  const kept = new URLSearchParams();
  for (const [key, value] of Object.entries(wanted)) if (value !== NONE[key]) kept.set(key, value);
  history.replaceState(null, '', '#' + kept);
  show();
}

function select(key, label, options) {
  return el('label', {}, label, el('select', {id: 'by-' + key, onchange: (event) => write({[key]: event.target.value, page: '', node: ''})},
    el('option', {value: ''}, 'any'), options.map(([value, words]) => el('option', {value}, words))));
}

function groupOptions(groups) {
  return groups.map(([status, words], at) => [String(at), `${status}: ${words.length > 90 ? words.slice(0, 89) + '…' : words}`]);
}

let typing = 0;

function filters() {
  const used = [...new Set(hosts.map((host) => host.remedy).filter(Boolean))].sort();
  return el('div', {class: 'filters', role: 'search', 'aria-label': 'Nodes'},
    el('label', {class: 'search'}, 'Search', el('input', {
      type: 'search', id: 'search', placeholder: 'name, cause, kernel, version', autocomplete: 'off',
      oninput: (event) => { clearTimeout(typing); typing = setTimeout(() => write({q: event.target.value, page: '', node: ''}), 60); },
    })),
    select('status', 'Status', STATUSES.map((status) => [status, status])),
    select('cause', 'Cause', groupOptions(data.causes)),
    select('action', 'What to do', groupOptions(data.actions)),
    select('remedy', 'Remedy', used.map((remedy) => [remedy, remedy])),
    el('button', {type: 'button', id: 'clear', onclick: () => write(NONE)}, 'Clear'));
}

function heads() {
  return el('tr', {}, COLUMNS.map(([key, words, kind]) => el('th', {scope: 'col', class: kind, 'data-column': key},
    el('button', {type: 'button', onclick: () => write({sort: key, down: wanted.sort === key && !wanted.down ? '1' : '', page: ''})},
      words, el('span', {class: 'arrow', 'aria-hidden': 'true'})))));
}

function build() {
  document.getElementById('list').replaceChildren(filters(),
    el('div', {class: 'pager'}, el('p', {id: 'found', role: 'status'}), el('div', {class: 'filters'},
      el('button', {type: 'button', id: 'back', onclick: () => turn(-1)}, 'Previous'),
      el('button', {type: 'button', id: 'next', onclick: () => turn(1)}, 'Next'))),
    el('div', {class: 'scroll', id: 'scroll'}, el('table', {class: 'list'}, el('caption', {class: 'hidden'}, 'Nodes; a node\'s name opens what is known of it'),
      el('thead', {}, heads()), el('tbody', {id: 'rows'}))));
}

function turn(by) {
  write({page: String(Number(wanted.page || 0) + by), node: ''});
}

function open(name) {
  const filtersKept = rows.some((host) => host.name === name) ? {} : NONE;
  write({...filtersKept, node: name});
  const button = document.querySelector('.open[aria-expanded="true"]');
  if (button) button.focus();
}

function row(host, opened) {
  const columns = host.columns;
  const cell = (words) => el('span', {class: 'clip', title: words}, node(words));
  return el('tr', {class: 'row'},
    el('th', {scope: 'row', class: 'name'}, el('button', {
      type: 'button', class: 'open', 'aria-expanded': String(opened), onclick: () => { write({node: opened ? '' : host.name}); refocus(host.name); },
    }, node(host.name))),
    el('td', {}, badge(host.status)), el('td', {class: 'wide'}, cell(columns.summary)), el('td', {}, cell(columns.action)),
    el('td', {}, cell(columns.kernel || 'not known')), el('td', {}, cell(columns.proxy || 'not known')));
}

// The list is made anew, so the focus goes back to the button that was used.
function refocus(name) {
  const button = [...document.querySelectorAll('.open')].find((one) => one.textContent === shown(name));
  if (button) button.focus();
}

function detailRow(host) {
  return el('tr', {class: 'opened'}, el('td', {colspan: COLUMNS.length}, nodeDetail(host.name, host.status, unpack(host.number))));
}

function fillRows(from, to) {
  const lines = rows.slice(from, to).flatMap((host) => (host.name === wanted.node ? [row(host, true), detailRow(host)] : [row(host, false)]));
  document.getElementById('rows').replaceChildren(...lines);
}

function showFilters() {
  for (const key of ['status', 'cause', 'action', 'remedy']) document.getElementById('by-' + key).value = wanted[key];
  const search = document.getElementById('search');
  if (search.value !== wanted.q && document.activeElement !== search) search.value = wanted.q;
  if (!wanted.q && !typing) search.value = '';
  document.getElementById('clear').disabled = ['status', 'cause', 'action', 'remedy', 'q'].every((key) => !wanted[key]);
  for (const head of document.querySelectorAll('.list th[data-column]')) {
    const sorting = head.dataset.column === wanted.sort;
    head.setAttribute('aria-sort', sorting ? (wanted.down ? 'descending' : 'ascending') : 'none');
    head.querySelector('.arrow').textContent = sorting ? (wanted.down ? ' ↓' : ' ↑') : '';
  }
}

function show() {
  typing = 0;
  rows = sorted(filtered(hosts, wanted), wanted.sort, wanted.down === '1');
  const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1);
  const at = rows.findIndex((host) => host.name === wanted.node);
  const page = at >= 0 ? Math.floor(at / PAGE) : Math.min(last, Math.max(0, Number(wanted.page) || 0));
  wanted.page = page ? String(page) : '';
  const to = Math.min(rows.length, (page + 1) * PAGE);
  const words = rows.length ? `${(page * PAGE + 1).toLocaleString('en')} to ${to.toLocaleString('en')} of ${rows.length.toLocaleString('en')} nodes` : 'No node matches';
  document.getElementById('found').textContent = rows.length === hosts.length || !rows.length ? words : `${words} that match (${hosts.length.toLocaleString('en')} in all)`;
  document.getElementById('back').disabled = page === 0;
  document.getElementById('next').disabled = page >= last;
  showFilters();
  fillRows(page * PAGE, to);
  return page;
}

// What is filtered, in words, for paper.
function filterText() {
  const used = ['status', 'cause', 'action', 'remedy'].filter((key) => wanted[key]).map((key) => {
    const control = document.getElementById('by-' + key);
    return `${control.labels[0].firstChild.textContent}: ${control.selectedOptions.length ? control.selectedOptions[0].textContent : shown(wanted[key])}`;
  });
  if (wanted.q) used.push(`Search: ${shown(wanted.q)}`);
  return used.length ? `Only those with ${used.join('; ')}.` : 'All nodes.';
}

function startTools() {
  const root = document.documentElement;
  const button = document.getElementById('theme');
  const dark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches);
  const label = () => { button.textContent = dark() ? 'Light' : 'Dark'; };
  button.addEventListener('click', () => { root.dataset.theme = dark() ? 'light' : 'dark'; label(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  label();
  document.getElementById('print').addEventListener('click', () => print());
  document.getElementById('tools').hidden = false;
  // Paper has no next page to turn to: what is filtered is printed whole, up to a limit.
  addEventListener('beforeprint', () => {
    fillRows(0, MOST_PRINTED);
    const most = rows.length > MOST_PRINTED ? `the first ${MOST_PRINTED.toLocaleString('en')} of ` : '';
    document.getElementById('found').textContent = `Printed: ${most}${rows.length.toLocaleString('en')} nodes. ${filterText()}`;
  });
  addEventListener('afterprint', show);
}

function arrive() {
  read();
  show();
  const target = wanted.node ? document.querySelector('tr.opened') : document.getElementById('nodes');
  if (location.hash.length > 1 && target) target.scrollIntoView();
}

build();
document.getElementById('list').hidden = false;
startTools();
startCompare(data, hosts, unpack, (name) => setTimeout(() => open(name), 0));
addEventListener('hashchange', arrive);
arrive();
