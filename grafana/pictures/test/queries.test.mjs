import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { compiled } from './compiled.mjs';

const { dateTime } = createRequire(import.meta.url)('@grafana/data');
const { prepare, legend } = await compiled('queries');

const DAY = 86_400;
const to = Date.UTC(2026, 3, 5, 17, 42, 7);

/** A query over a day in a panel of so many px. */
function asked(query, { length = DAY, px = 800, intervalMs = 120_000, utcOffsetSec = 7200 } = {}) {
  const range = { from: dateTime(to - length * 1000), to: dateTime(to) };
  return prepare(
    { refId: 'A', expr: 'x', ...query },
    { range, intervalMs, maxDataPoints: px, scrapeInterval: '15s', utcOffsetSec },
  );
}

test('a step is as long as the width asks, and no shorter than what is asked for', () => {
  assert.equal(asked({}).step, 120);
  assert.equal(asked({ interval: '15m' }).step, 900);
  assert.equal(asked({ interval: '15s' }, { length: 3600 }).step, 15);
  // Prometheus gives 11,000 points and no more.
  assert.equal(asked({ interval: '1s' }, { length: 30 * DAY, px: 1e6 }).step, 300);
});

test('steps begin at the midnight of the viewer', () => {
  const { start, end } = asked({ interval: '1d' }, { length: 7 * DAY });
  assert.equal(new Date(start * 1000).toISOString(), '2026-03-28T22:00:00.000Z');
  assert.equal(new Date(end * 1000).toISOString(), '2026-04-04T22:00:00.000Z');
});

test('windows are written into the expression', () => {
  const { expr } = asked({
    expr: 'a[$__rate_interval] b[$__interval] c[${__range}] $__range_s $__interval_ms $job',
  });
  assert.equal(expr, 'a[135s] b[120s] c[86400s] 86400 120000 $job');
  assert.equal(asked({ expr: '$__rate_interval' }, { length: 60, intervalMs: 15_000 }).expr, '60s');
  assert.equal(asked({ expr: '$__rate_interval', interval: '5m' }).expr, '1200s');
});

test('a step may be the window of rates', () => {
  assert.equal(asked({ interval: '$__rate_interval' }).step, 135);
});

test('legends', () => {
  const labels = { __name__: 'up', job: 'iometer', bridge: 'house' };
  assert.equal(legend({ legendFormat: '{{bridge}} of {{ nothing }}' }, labels, 'up'), 'house of ');
  assert.equal(legend({}, labels, 'up'), 'up{bridge="house", job="iometer"}');
  assert.equal(legend({}, {}, 'sum(up)'), 'sum(up)');
  assert.equal(legend({ legendFormat: '__auto' }, labels, 'up'), '');
  assert.equal(legend({ legendFormat: '__auto' }, {}, 'sum(up)'), 'sum(up)');
});
