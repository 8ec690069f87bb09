/* Copyright (c) 2026 the kubenet.vxlan_offload authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
// Elements made by name. Text from nodes goes in as text only, so it can never become markup.

const SVG = 'http://www.w3.org/2000/svg';
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

// What could turn the direction of text, or hide some of it, is shown as an escape.
const shown = (value) => text(value).replace(HIDDEN, (one) => '\\u' + one.charCodeAt(0).toString(16).padStart(4, '0'));

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : shown(value));
  }
  for (const child of children.flat()) {
    if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== '') element.append(shown(child));
  }
  return element;
}

const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const node = (value) => el('bdi', {}, value);

function badge(word, icon) {
  const sign = icon || ICONS[word] || {broken: '✕', at_risk: '▲', maybe: '▲', ok: '✓', yes: '●', no: '○'}[word] || '?';
  return el('span', {class: 'badge ' + word}, el('span', {'aria-hidden': 'true', class: 'icon'}, sign), text(word).replace('_', ' ') || 'unknown');
}

function table(caption, heads, rows) {
  return el('div', {class: 'scroll'}, el('table', {},
    el('caption', {class: 'hidden'}, caption),
    el('thead', {}, el('tr', {}, heads.map((head) => el('th', {scope: 'col'}, head)))),
    el('tbody', {}, rows.map((cells) => el('tr', {}, cells.map((cell, at) => el('td', {'data-head': heads[at]}, cell)))))));
}
