import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compiled } from './compiled.mjs';

const { layOut } = await compiled('layout');

const panel = (id, x, y, w, h, more = {}) => ({
  id,
  type: 'stat',
  title: '',
  gridPos: { x, y, w, h },
  ...more,
});
const row = (id, y, more = {}) => ({
  id,
  type: 'row',
  title: '',
  gridPos: { x: 0, y, w: 24, h: 1 },
  ...more,
});
const choices = () => ['a', 'b', 'c'].map((value) => ({ value, text: value.toUpperCase() }));
const places = (panels) =>
  panels.map(({ id, scope, gridPos: { x, y, w, h } }) => [id, scope?.value, x, y, w, h]);

test('panels stay where they are', () => {
  const panels = [panel(1, 0, 0, 12, 4), panel(2, 12, 0, 12, 4), panel(3, 0, 4, 24, 8)];
  assert.deepEqual(places(layOut(panels, choices, false)), places(panels));
});

test('a repeated panel takes rows and moves what is below', () => {
  const panels = [panel(1, 0, 0, 24, 4, { repeat: 'v', maxPerRow: 2 }), panel(2, 0, 4, 24, 5)];
  assert.deepEqual(places(layOut(panels, choices, false)), [
    [1, 'a', 0, 0, 12, 4],
    [100001, 'b', 12, 0, 12, 4],
    [200001, 'c', 0, 4, 12, 4],
    [2, undefined, 0, 8, 24, 5],
  ]);
});

test('a panel that is repeated downwards keeps its width', () => {
  const panels = [panel(1, 6, 0, 6, 3, { repeat: 'v', repeatDirection: 'v' })];
  assert.deepEqual(places(layOut(panels, choices, false)), [
    [1, 'a', 6, 0, 6, 3],
    [100001, 'b', 6, 3, 6, 3],
    [200001, 'c', 6, 6, 6, 3],
  ]);
});

test('an open row holds what follows it, a collapsed one what is in it', () => {
  const panels = [
    row(1, 0),
    panel(2, 0, 1, 24, 4),
    row(3, 5, { collapsed: true, panels: [panel(4, 0, 6, 24, 8)] }),
    row(5, 6),
    panel(6, 0, 7, 24, 2),
  ];
  const rows = layOut(panels, choices, false);
  assert.deepEqual(
    places(rows).map(([id, , , y]) => [id, y]),
    [
      [1, 0],
      [3, 5],
      [5, 6],
    ],
  );
  assert.deepEqual(
    rows.map((one) => places(one.panels).map(([id, , , y]) => [id, y])),
    [[[2, 1]], [[4, 6]], [[6, 7]]],
  );
  const open = layOut(panels, choices, true);
  assert.deepEqual(
    open.map(({ collapsed, gridPos }) => [collapsed, gridPos.y]),
    [
      [false, 0],
      [false, 5],
      [false, 14],
    ],
  );
});

test('a repeated row has its panels for each value', () => {
  const rows = layOut([row(1, 0, { repeat: 'v' }), panel(2, 0, 1, 24, 4)], choices, false);
  assert.deepEqual(
    places(rows).map(([id, value, , y]) => [id, value, y]),
    [
      [1, 'a', 0],
      [100001, 'b', 5],
      [200001, 'c', 10],
    ],
  );
  assert.deepEqual(
    rows.map(({ panels }) => places(panels)),
    [[[2, 'a', 0, 1, 24, 4]], [[100002, 'b', 0, 6, 24, 4]], [[200002, 'c', 0, 11, 24, 4]]],
  );
});
