// The part of the Prometheus data source. Grafana's own is under the AGPL, and most of it is an editor.
import {
  type AnnotationEvent,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
  DataSourceApi,
  type DataSourceInstanceSettings,
  type MetricFindValue,
  type ScopedVars,
  type TimeRange,
  dateTime,
  rangeUtil,
} from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';
import { type Observable, from, of } from 'rxjs';
import { type Answer, type Labels, rowsFrame, seriesFrames, seriesOf, tableFrame } from './frames';
import { type PrometheusQuery, fill, prepare } from './queries';

const ANNOTATION_STEP = '60s';

export class PrometheusSource extends DataSourceApi<PrometheusQuery> {
  private scrapeInterval: string;

  constructor(settings: DataSourceInstanceSettings) {
    super(settings);
    this.meta = settings.meta;
    this.scrapeInterval = (settings.jsonData as { timeInterval?: string }).timeInterval ?? '15s';
    // The least interval between points: panels ask for no more than there is.
    this.interval = this.scrapeInterval;
    this.annotations = {
      prepareAnnotation: (json: any) => ({
        ...json,
        target: {
          interval: json.step || ANNOTATION_STEP,
          ...json.target,
          expr: json.target?.expr ?? json.expr,
          range: true,
          instant: false,
        },
      }),
      processEvents: (annotation: any, frames: DataFrame[]) =>
        of(frames.flatMap((frame) => eventsOf(annotation, frame))),
    };
  }

  query(request: DataQueryRequest<PrometheusQuery>): Observable<DataQueryResponse> {
    return from(this.run(request));
  }

  private async run(request: DataQueryRequest<PrometheusQuery>): Promise<DataQueryResponse> {
    const targets = request.targets.filter(({ hide, expr }) => !hide && expr);
    const errors: DataQueryResponse['errors'] = [];
    const results = await Promise.all(
      targets.map(async (query) => {
        const asked = prepare(
          {
            ...query,
            expr: getTemplateSrv().replace(query.expr, request.scopedVars, asRegex),
            interval: getTemplateSrv().replace(query.interval, request.scopedVars),
          },
          {
            range: request.range,
            intervalMs: request.intervalMs,
            maxDataPoints: request.maxDataPoints ?? 0,
            scrapeInterval: this.scrapeInterval,
            utcOffsetSec: utcOffset(request),
          },
        );
        const isInstant = query.instant && !query.range;
        const form: Record<string, string> = isInstant
          ? { query: asked.expr, time: String(asked.at) }
          : {
              query: asked.expr,
              start: String(asked.start),
              end: String(asked.end),
              step: String(asked.step),
            };
        try {
          const answer = await ask<Answer>(isInstant ? 'query' : 'query_range', form);
          return { query, asked, series: seriesOf(answer) };
        } catch (error) {
          errors.push({ refId: query.refId, message: String((error as Error).message) });
          return { query, asked, series: [] };
        }
      }),
    );
    const tables = results.filter(({ query, series }) => query.format === 'table' && series.length);
    const data = results.flatMap(({ query, asked, series }) =>
      !series.length
        ? seriesFrames(query, asked, series)
        : query.format === 'table'
          ? [tableFrame(query, series, tables.length > 1)]
          : query.format === 'heatmap'
            ? [rowsFrame(query, asked, series)]
            : seriesFrames(query, asked, series),
    );
    return { data, errors: errors.length ? errors : undefined };
  }

  /** The values of a variable: `label_values(…)`, `label_names()`, `metrics(…)` or `query_result(…)`. */
  async metricFindQuery(
    given: string | { query: string },
    options: { scopedVars?: ScopedVars; range?: TimeRange },
  ): Promise<MetricFindValue[]> {
    const query = getTemplateSrv()
      .replace(typeof given === 'string' ? given : given.query, options.scopedVars, asRegex)
      .trim();
    const span = options.range && {
      start: String(options.range.from.valueOf() / 1000),
      end: String(options.range.to.valueOf() / 1000),
    };
    const values = async (label: string, selector = '') =>
      texts(
        await ask<string[]>(
          `label/${label}/values`,
          { ...span, ...(selector && { 'match[]': selector }) },
          'GET',
        ),
      );

    const [, name, content = ''] = query.match(/^(\w+)\(([\s\S]*)\)\s*$/) ?? [];
    switch (name) {
      case 'label_values': {
        const [, selector, label = ''] = content.match(/^(?:([\s\S]+),)?\s*(\w+)\s*$/) ?? [];
        return values(label, selector);
      }
      case 'label_names':
        return texts(await ask<string[]>('labels', { ...span }, 'GET'));
      case 'metrics': {
        const wanted = new RegExp(content);
        return (await values('__name__')).filter(({ text }) => wanted.test(text));
      }
      case 'query_result': {
        const answer = await ask<Answer>('query', {
          query: content,
          time: span?.end ?? String(dateTime().valueOf() / 1000),
        });
        return texts(
          seriesOf(answer).map(
            ({ labels, samples: [[time, value]] }) => `${selectorOf(labels)} ${value} ${time * 1000}`,
          ),
        );
      }
    }
    throw Error(`no query of a variable: ${query}`);
  }

  async testDatasource(): Promise<never> {
    throw Error('the pictures test no data source');
  }
}

async function ask<T>(
  path: string,
  form: Record<string, string>,
  method: 'GET' | 'POST' = 'POST',
): Promise<T> {
  const parameters = new URLSearchParams(form);
  const answer = await (method === 'GET'
    ? fetch(`/prometheus/api/v1/${path}?${parameters}`)
    : fetch(`/prometheus/api/v1/${path}`, { method, body: parameters }));
  const { status, data, error } = await answer.json();
  if (status !== 'success') {
    throw Error(error);
  }
  return data;
}

const texts = (values: string[]): MetricFindValue[] => values.map((text) => ({ text }));
const selectorOf = ({ __name__: name = '', ...labels }: Labels) =>
  `${name}{${Object.entries(labels)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(',')}}`;

/** A variable's value within PromQL: several become a regular expression. */
export function asRegex(
  value: string | string[],
  variable: { multi?: boolean; includeAll?: boolean },
): string {
  if (!variable.multi && !variable.includeAll) {
    return String(value).replace(/\\/g, '\\\\').replace(/'/g, "\\\\'");
  }
  const escaped = [value]
    .flat()
    .map((one) => one.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&'));
  return escaped.length === 1 ? escaped[0] : `(${escaped.join('|')})`;
}

// As Grafana since 11.6: the browser's zone counts only while the range is relative.
function utcOffset({ range, timezone }: DataQueryRequest<PrometheusQuery>): number {
  const isIgnored = timezone === 'browser' && !rangeUtil.isRelativeTimeRange(range.raw);
  return isIgnored ? 0 : dateTime(range.to).utcOffset() * 60;
}

// Samples that follow each other at the step are one mark with a length.
function eventsOf(annotation: any, { fields: [times, value] }: DataFrame): AnnotationEvent[] {
  if (!value) {
    return [];
  }
  const step = times.config.interval ?? 0;
  const labels = value.labels ?? {};
  const text = (template: string) => fill(template, labels, (label) => label);
  const events: AnnotationEvent[] = [];
  times.values.forEach((time, index) => {
    const last = events.at(-1);
    if (!value.values[index]) {
      return;
    }
    if (last && time - (last.timeEnd ?? last.time!) <= step) {
      last.timeEnd = time;
      last.isRegion = true;
      return;
    }
    events.push({
      time,
      title: text(annotation.titleFormat || annotation.name),
      text: text(annotation.textFormat || ''),
      annotation,
      tags: [],
    });
  });
  return events;
}
