// What Prometheus answers, as the data frames that Grafana's panels take.
import { type DataFrame, DataFrameType, type Field, FieldType, createDataFrame } from '@grafana/data';
import { type Asked, type PrometheusQuery, legend } from './queries';

export type Labels = Record<string, string>;
type Sample = [time: number, value: string];

/** The `data` of an answer of Prometheus. */
export type Answer =
  | { resultType: 'scalar'; result: Sample }
  | { resultType: 'vector'; result: Array<{ metric: Labels; value: Sample }> }
  | { resultType: 'matrix'; result: Array<{ metric: Labels; values: Sample[] }> };

export interface Series {
  labels: Labels;
  samples: Sample[];
}

/** The series of an answer, of whatever kind it is. */
export function seriesOf(answer: Answer): Series[] {
  switch (answer.resultType) {
    case 'scalar':
      return [{ labels: {}, samples: [answer.result] }];
    case 'vector':
      return answer.result.map(({ metric, value }) => ({ labels: metric, samples: [value] }));
    case 'matrix':
      return answer.result.map(({ metric, values }) => ({ labels: metric, samples: values }));
  }
}

export const numberOf = (text: string): number =>
  ({ '+Inf': Infinity, '-Inf': -Infinity })[text] ?? Number(text);

const timeField = (samples: Sample[], step?: number): Field => ({
  name: 'Time',
  type: FieldType.time,
  values: samples.map(([time]) => time * 1000),
  config: step === undefined ? {} : { interval: step * 1000 },
});

/** A frame for each series, or one without fields where there is none. */
export function seriesFrames(query: PrometheusQuery, asked: Asked, series: Series[]): DataFrame[] {
  const meta = { executedQueryString: `Expr: ${asked.expr}\nStep: ${asked.step}s` };
  if (!series.length) {
    return [createDataFrame({ refId: query.refId, meta, fields: [] })];
  }
  return series.map(({ labels, samples }) =>
    createDataFrame({
      refId: query.refId,
      meta,
      fields: [
        timeField(samples, asked.step),
        {
          name: labels.__name__ ?? 'Value',
          type: FieldType.number,
          labels,
          values: samples.map(([, text]) => numberOf(text)),
          config: { displayNameFromDS: legend(query, labels, asked.expr) || undefined },
        },
      ],
    }),
  );
}

/** One frame with a row for each bucket of a histogram, the lowest first, each without those below it. */
export function rowsFrame(query: PrometheusQuery, asked: Asked, series: Series[]): DataFrame {
  const limit = ({ labels }: Series) => numberOf(labels.le ?? '');
  const sorted = [...series].sort((one, other) => limit(one) - limit(other));
  const counts = sorted.map(({ samples }) => samples.map(([, text]) => numberOf(text)));
  return createDataFrame({
    refId: query.refId,
    meta: { type: DataFrameType.HeatmapRows },
    fields: [
      timeField(sorted[0].samples, asked.step),
      ...sorted.map(({ labels }, row) => ({
        name: 'Value',
        type: FieldType.number,
        labels,
        values: counts[row].map((count, at) => Math.max(count - (counts[row - 1]?.[at] ?? 0), 0)),
        config: { displayNameFromDS: legend(query, labels, asked.expr) },
      })),
    ],
  });
}

/** One frame with a column for each label. The value's column is numbered where several queries gave tables. */
export function tableFrame(query: PrometheusQuery, series: Series[], several: boolean): DataFrame {
  const rows = series.flatMap(({ labels, samples }) => samples.map((sample) => ({ labels, sample })));
  const names: string[] = [];
  for (const { labels } of series) {
    for (const name of Object.keys(labels).sort((a, b) => a.localeCompare(b))) {
      if (!names.includes(name)) {
        names.push(name);
      }
    }
  }
  return createDataFrame({
    refId: query.refId,
    fields: [
      timeField(rows.map(({ sample }) => sample)),
      ...names.map((name) => ({
        name,
        type: name === 'le' ? FieldType.number : FieldType.string,
        config: { filterable: true },
        values: rows.map(({ labels }) =>
          name === 'le' ? numberOf(labels[name] ?? '') : (labels[name] ?? ''),
        ),
      })),
      {
        name: several ? `Value #${query.refId}` : 'Value',
        type: FieldType.number,
        config: {},
        values: rows.map(({ sample: [, text] }) => numberOf(text)),
      },
    ],
  });
}
