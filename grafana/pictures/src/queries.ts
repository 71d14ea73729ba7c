// What Grafana makes of a query before Prometheus sees it: its step, its window variables and its legend.
import { rangeUtil, type TimeRange } from '@grafana/data';

/** A target of a panel, as far as it is read here. */
export interface PrometheusQuery {
  refId: string;
  expr: string;
  instant?: boolean;
  range?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  legendFormat?: string;
  interval?: string;
  intervalFactor?: number;
  hide?: boolean;
}

/** Times in seconds. */
export interface Asked {
  expr: string;
  step: number;
  start: number;
  end: number;
  at: number;
}

export interface Resolution {
  range: TimeRange;
  /** As the panel's width asks, in ms. */
  intervalMs: number;
  maxDataPoints: number;
  /** Of the data source, such as `15s`. */
  scrapeInterval: string;
  utcOffsetSec: number;
}

/** Prometheus answers no more points than this. */
const MOST_POINTS = 11_000;

const RATE_INTERVAL = /^\$(__rate_interval|\{__rate_interval\})$/;
const ANY_INTERVAL = /^\$(__\w*interval|\{__\w*interval\})$/;

const round = (seconds: number) => rangeUtil.roundInterval(seconds * 1000) / 1000;
const asText = (seconds: number) =>
  Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1000)}ms`;

/** The query as Prometheus shall get it. */
export function prepare(
  query: PrometheusQuery,
  { range, intervalMs, maxDataPoints, scrapeInterval, utcOffsetSec }: Resolution,
): Asked {
  const from = range.from.valueOf() / 1000;
  const to = range.to.valueOf() / 1000;
  const own = query.interval && !ANY_INTERVAL.test(query.interval) ? query.interval : '';
  const scrape = rangeUtil.intervalToSeconds(own || scrapeInterval);
  const rate = (interval: number) => Math.max(interval + scrape, 4 * scrape);

  const least = own ? scrape : intervalMs ? intervalMs / 1000 : scrape;
  const exact = (to - from) / (maxDataPoints || 1500);
  let step = Math.max(exact < least ? least : round(exact), round((to - from) / MOST_POINTS));
  const isRate = RATE_INTERVAL.test(query.interval ?? '');
  step = isRate ? rate(step) : step * (query.intervalFactor || 1);

  const length = Math.round(to - from);
  const window = isRate ? step : rate(intervalMs / 1000);
  const values: Record<string, string | number> = {
    __interval: asText(step),
    __interval_ms: step * 1000,
    __rate_interval: asText(window),
    __rate_interval_ms: window * 1000,
    __range: `${length}s`,
    __range_s: length,
    __range_ms: Math.round((to - from) * 1000),
  };
  const expr = query.expr.replace(/\$(?:\{(__\w+)\}|(__\w+))/g, (all, braced, bare) =>
    String(values[braced ?? bare] ?? all),
  );

  // Steps lie on multiples of the step in the viewer's time: days begin at midnight.
  const align = (time: number) => Math.floor((time + utcOffsetSec) / step) * step - utcOffsetSec;
  return { expr, step, start: align(from), end: align(to), at: to };
}

/** The name of a series as its legend has it; empty where Grafana shall find one itself. */
export function legend(query: PrometheusQuery, labels: Record<string, string>, expr: string): string {
  const { __name__: name = '', ...rest } = labels;
  if (query.legendFormat === '__auto') {
    return Object.keys(labels).length ? '' : expr;
  }
  if (query.legendFormat) {
    return fill(query.legendFormat, labels, () => '');
  }
  const pairs = Object.entries(rest)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  return name || pairs.length ? name + (pairs.length || !name ? `{${pairs.join(', ')}}` : '') : expr;
}

/** The text with the values of labels in place of `{{label}}`. */
export function fill(
  text: string,
  labels: Record<string, string>,
  missing: (label: string) => string,
): string {
  return text.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? missing(label));
}
