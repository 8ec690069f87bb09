/* Copyright (c) 2026 the kubenet.vxlan_offload authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
// The packet's way drawn: hooks from top to bottom, the mark as the colour and width of the rail.

const WIDTH = 1000;
const RAIL = 34;
const LEFT = 62;
const HOOKS = [
  ['inner', 'raw', 'OUTPUT'], ['inner', 'mangle', 'OUTPUT'], ['inner', 'nat', 'OUTPUT'], ['inner', 'filter', 'OUTPUT'],
  ['inner', 'mangle', 'POSTROUTING'], ['inner', 'nat', 'POSTROUTING'], null,
  ['outer', 'raw', 'OUTPUT'], ['outer', 'mangle', 'OUTPUT'], ['outer', 'nat', 'OUTPUT'], ['outer', 'filter', 'OUTPUT'],
  ['outer', 'mangle', 'POSTROUTING'], ['outer', 'nat', 'POSTROUTING'],
];
const EFFECTS = {
  'mark cleared': 'mark cleared', mark: 'other bits of the mark', notrack: 'NOTRACK: NAT is never asked', accept: 'accepted: the chain ends',
  return: 'returns', jump: 'jumps', goto: 'goes to', continue: 'no effect', drop: 'dropped', 'unreadable rule': 'cannot be read',
};
const DULL = ['jump', 'goto', 'continue', 'return', 'mark'];
const CLIENTS = {host: 'a process on this node', pod: 'a pod on this node', any: 'any sender'};

const clip = (value, length) => (value.length > length ? value.slice(0, length - 1) + '…' : value);

// "inner nat POSTROUTING 1 RULE" and its data as one step.
function stepsOf(device) {
  const way = device.way || {};
  return list(device.walk).map((line, at) => {
    const [packet, table, chain, number, ...rule] = text(line).split(' ');
    return {packet, table, chain, number, rule: rule.join(' '), ...(list(way.steps)[at] || {})};
  });
}

// Which hook a step belongs to; kube-proxy's nftables chains hang at those of nat.
function atHook(step, hook) {
  const place = {'nat-postrouting': 'POSTROUTING', 'nat-output': 'OUTPUT'}[step.hook] || step.hook || step.chain;
  return hook && step.packet === hook[0] && step.table === hook[1] && place === hook[2];
}

// Of the hooks that rarely matter only those are drawn in which a rule changed the mark.
function isDrawn(hook, steps, way) {
  const rare = hook && (hook[0] === 'inner' ? hook[2] === 'OUTPUT' || way.client === 'any' : hook[1] === 'nat' && hook[2] === 'OUTPUT');
  return !rare || steps.some((step) => atHook(step, hook));
}

function effectText(step, way) {
  if (step.effect !== 'nat') return EFFECTS[step.effect] || text(step.effect);
  if (step.packet === 'inner') return 'source of the inner packet: harmless';
  return {rewritten: 'SOURCE REWRITTEN', kept: 'keeps port and address', maybe: 'may rewrite the source'}[way.source] || 'NAT';
}

function tone(step, way) {
  if (step.matched === 'maybe') return 'maybe';
  if (step.effect === 'nat' && step.packet === 'outer') return {rewritten: 'bad', kept: 'good'}[way.source] || 'maybe';
  // kube-proxy itself clears the mark just before it masquerades: that saves nothing.
  if (['mark cleared', 'notrack', 'accept'].includes(step.effect)) return way.source === 'kept' && step.packet === 'outer' ? 'good' : 'acts';
  return DULL.includes(step.effect) ? '' : 'acts';
}

class Drawing {
  constructor(way) {
    this.way = way;
    this.y = 14;
    this.mark = way.mark || 'unknown';
    this.rails = [];
    this.parts = [];
  }

  add(...parts) { this.parts.push(...parts); }

  text(x, words, kind = '') { this.add(svg('text', {x, y: this.y, class: kind}, words)); }

  // The rail down to here, in the colour of the mark so far.
  down(height) {
    this.rails.push(svg('line', {x1: RAIL, x2: RAIL, y1: this.y, y2: this.y + height, class: 'rail ' + this.mark}));
    this.y += height;
  }

  // Header fields of a packet, side by side.
  packet(x, fields) {
    for (const [words, width, kind] of fields) {
      this.add(svg('rect', {x, y: this.y - 15, width, height: 22, class: 'part ' + (kind || '')}));
      this.add(svg('text', {x: x + 8, y: this.y, class: 'small'}, clip(words, Math.floor(width / 6.6))));
      x += width;
    }
  }

  box(height, kind) {
    this.add(svg('rect', {x: LEFT - 12, y: this.y, width: WIDTH - LEFT, height, rx: 6, class: 'box ' + kind}));
  }
}

function drawSender(drawing, way, offload) {
  drawing.box(58, '');
  drawing.down(20);
  drawing.text(LEFT, 'Inner packet', 'head');
  drawing.text(LEFT + 100, `from ${CLIENTS[way.client] || way.client} to a Service; its address is that of a pod on another node by now`, 'soft small');
  drawing.down(25);
  drawing.packet(LEFT, [['inner IP', 90], [offload === 'no' ? 'TCP or UDP, checksum written by the CPU' : 'TCP or UDP, checksum left to the device', 290], ['data', 70]]);
  drawing.text(LEFT + 472, way.mark === 'set' ? `mark ${way.bit} is set: masquerade me` : 'no mark', way.mark === 'set' ? 'mark' : 'soft');
  drawing.down(23);
}

function drawTunnel(drawing, way) {
  drawing.down(8);
  drawing.box(58, 'tunnel');
  drawing.down(20);
  drawing.text(LEFT, clip(text(way.device), 24), 'head');
  drawing.text(LEFT + 160, `wraps it: VNI ${text(way.vni)}, UDP port ${text(way.port)}, ${text(way.outer_checksum)}; ${way.mark === 'set' ? 'the mark stays on the packet' : 'a packet without the mark'}`, 'soft small');
  drawing.down(25);
  drawing.packet(LEFT, [['outer IP', 90], [`outer UDP, port ${text(way.port)}`, 160], [`VXLAN ${text(way.vni)}`, 100], ['inner IP', 80], ['TCP or UDP', 100], ['data', 60]]);
  drawing.down(23);
}

function drawRule(drawing, step, way) {
  const kind = tone(step, way);
  drawing.down(14);
  drawing.add(svg('circle', {cx: RAIL, cy: drawing.y - 4, r: kind ? 6 : 4, class: 'dot ' + kind}));
  if (step.mark) drawing.mark = step.mark;
  drawing.text(LEFT, clip(`${step.chain} ${step.number}`, 27), kind ? 'small' : 'small soft');
  drawing.add(svg('text', {x: LEFT + 190, y: drawing.y, class: kind ? 'rule' : 'rule soft'},
    clip(step.rule.replace(/-m comment --comment ("(?:[^"\\]|\\.)*"|\S+) ?/, ''), 70), svg('title', {}, step.rule)));
  const effect = (step.matched === 'maybe' ? 'maybe: ' : '') + effectText(step, way);
  drawing.add(svg('text', {x: WIDTH - 20, y: drawing.y, 'text-anchor': 'end', class: 'small ' + (kind || 'soft')}, effect));
  drawing.down(7);
}

function drawPassed(drawing, rule) {
  drawing.down(14);
  drawing.add(svg('circle', {cx: RAIL, cy: drawing.y - 4, r: 3, class: 'dot missed'}));
  drawing.text(LEFT, clip(`${text(rule.chain)} ${text(rule.number)}`, 27), 'small soft');
  drawing.add(svg('text', {x: LEFT + 190, y: drawing.y, class: 'rule soft'}, clip(text(rule.rule).replace(/-m comment --comment ("(?:[^"\\]|\\.)*"|\S+) ?/, ''), 70), svg('title', {}, rule.rule)));
  drawing.add(svg('text', {x: WIDTH - 20, y: drawing.y, 'text-anchor': 'end', class: 'small soft'}, 'does not match: source kept'));
  drawing.down(7);
}

function drawHook(drawing, hook, steps, way) {
  const [packet, table, place] = hook;
  const backends = [...new Set(steps.map((step) => step.backend).filter(Boolean))].join(', ');
  const passed = packet === 'outer' && table === 'nat' ? list(way.passed) : [];
  drawing.down(20);
  drawing.text(LEFT - 6, `${table} ${place}`, 'head');
  const reached = steps.length || passed.length;
  drawing.add(svg('text', {x: LEFT + 190, y: drawing.y, class: 'small soft'}, list(way.unread).includes(table) ? 'could not be read: any rule may be here' : reached ? backends : 'no rule concerned the packet'));
  if (list(way.unread).includes(table)) drawing.mark = 'unknown';
  drawing.down(4);
  steps.forEach((step, at) => {
    drawRule(drawing, step, way);
    // The rules that did not match stand in their chain.
    const goesOn = steps.slice(at + 1).some((later) => later.chain === step.chain);
    if (!goesOn) passed.filter((rule) => rule.chain === step.chain).forEach((rule) => drawPassed(drawing, rule));
  });
  passed.filter((rule) => !steps.some((step) => step.chain === rule.chain)).forEach((rule) => drawPassed(drawing, rule));
}

function endTexts(way) {
  const offload = way.checksum === 'good' && way.source === 'rewritten';
  return {
    broken: ['✕ The outer checksum breaks here', 'the source was rewritten, and the kernel does not bring the outer UDP checksum up to date: the receiver drops the packet'],
    good: ['✓ The outer checksum is right', offload
      ? 'the source was rewritten, but the checksum is written by the CPU or by a kernel that does it right' : 'nothing rewrote the source of the outer packet'],
    maybe: ['▲ The outer checksum may break here', 'not every answer on the way is certain; the conditions below say which'],
    unknown: ['? Whether the outer checksum breaks is not known', 'a fact is missing; the list below says which and how to get it'],
  }[way.checksum] || ['? The end is not known', ''];
}

function drawEnd(drawing, way) {
  const [title, why] = endTexts(way);
  drawing.down(14);
  drawing.box(84, text(way.checksum));
  drawing.down(21);
  const kind = {broken: 'bad', good: 'good'}[way.checksum] || 'maybe';
  drawing.text(LEFT, title, kind);
  drawing.add(svg('text', {x: WIDTH - 30, y: drawing.y, 'text-anchor': 'end', class: 'soft small'}, `leaves by ${clip(text(way.underlay) || 'the default route', 20)}`));
  drawing.down(20);
  drawing.text(LEFT, why, 'small');
  drawing.down(24);
  const hurt = way.checksum === 'broken' ? 'hurt' : '';
  const port = way.source === 'rewritten' ? 'outer UDP, new source port' : `outer UDP, port ${text(way.port)}`;
  drawing.packet(LEFT, [['outer IP', 90], [port, 190, way.source === 'rewritten' ? 'hurt' : ''], [hurt ? 'checksum ✕' : 'checksum', 90, hurt], [`VXLAN ${text(way.vni)}`, 100], ['inner packet', 130]]);
  drawing.down(8);
  drawing.y += 18;
}

function summaryOf(way, steps) {
  const acting = steps.filter((step) => !DULL.includes(step.effect));
  const rules = acting.map((step) => `${step.packet} packet, ${step.table} ${step.chain} rule ${step.number}: ${effectText(step, way)}`);
  return [...rules, endTexts(way).join(': ')].join('. ');
}

let pictures = 0;

function picture(device) {
  const way = device.way;
  const steps = stepsOf(device);
  const drawing = new Drawing(way);
  const conditions = device.conditions || {};
  drawSender(drawing, way, conditions.offload && conditions.offload.holds);
  // NOTRACK and the like: what was not reached is not drawn.
  const last = way.end === 'notrack' ? Math.max(...HOOKS.map((hook, at) => (steps.some((step) => atHook(step, hook)) ? at : 0))) : HOOKS.length;
  HOOKS.slice(0, last + 1).filter((hook) => isDrawn(hook, steps, way)).forEach((hook) => {
    if (hook) drawHook(drawing, hook, steps.filter((step) => atHook(step, hook)), way);
    else drawTunnel(drawing, way);
  });
  drawEnd(drawing, way);
  const id = 'picture' + (pictures += 1);
  const legend = el('p', {class: 'detail'}, `Wide line: the packet carries kube-proxy's mark ${text(way.bit)}. Thin line: it does not. Large dots: rules that changed or decided something.`);
  return el('div', {}, el('div', {class: 'picture scroll', tabindex: '0', role: 'group', 'aria-label': `The packet's way over ${text(way.device)}`},
    svg('svg', {viewBox: `0 0 ${WIDTH} ${drawing.y}`, role: 'img', 'aria-labelledby': `${id}t ${id}d`},
      svg('title', {id: id + 't'}, `The way of a packet over ${text(way.device)}`),
      svg('desc', {id: id + 'd'}, summaryOf(way, steps)),
      svg('g', {}, drawing.parts.filter((part) => part.classList.contains('box'))),
      svg('g', {}, drawing.rails), svg('g', {}, drawing.parts.filter((part) => !part.classList.contains('box'))))), legend);
}
