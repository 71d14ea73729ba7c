import {
  FieldColorModeId,
  type GrafanaTheme2,
  type PanelProps,
  buildHistogram,
  histogramFieldsToFrame,
} from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { useMemo } from 'react';
import type uPlot from 'uplot';
import type { AlignedData } from 'uplot';
import { plugin } from '../fieldOptions';
import { Nothing } from '../plot/Nothing';
import { Plot } from '../plot/Plot';
import { type Bar, barsBuilder } from '../plot/bars';
import { isNumber, shownBy, textOf } from '../plot/values';

const options = {
  bucketCount: 30,
  bucketOffset: 0,
  combine: false,
  legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: true },
};
const custom = { stacking: null, lineWidth: 1, fillOpacity: 80, gradientMode: 'none', hideFrom: null };

/** Between two labels of the x axis, in px. */
const LABEL_SPACING = 70;

function Histogram({ data, width, height, options: o, fieldConfig }: PanelProps) {
  const theme = useTheme2();
  const frame = useMemo(() => {
    const counted = buildHistogram(data.series, { ...o, bucketSize: o.bucketSize || undefined });
    return counted && histogramFieldsToFrame(counted, theme);
  }, [data.series, o, theme]);
  if (!frame) {
    return <Nothing fieldConfig={fieldConfig} />;
  }
  const [from, to, ...counts] = frame.fields;
  const bars = counts.flatMap((field): Bar[] =>
    field.values
      .map((value, index) => ({
        field,
        value,
        begin: from.values[index],
        end: to.values[index],
        base: 0,
        top: value,
      }))
      .filter(({ value }) => value),
  );
  const measured = data.series.flatMap(({ fields }) => fields).find(isNumber)!;
  const edges = [...from.values, to.values.at(-1)];
  const x = {
    range: [edges[0], edges.at(-1)] as [number, number],
    splits: (plot: uPlot) => {
      const step = Math.ceil((edges.length * LABEL_SPACING) / (plot.width || width));
      return edges.filter((_, index) => index % step === 0);
    },
    text: (value: number) => textOf(shownBy(measured, value, theme)),
  };
  const drawn = { ...frame, fields: [from, ...counts] };
  return (
    <Plot
      width={width}
      height={height}
      frame={drawn}
      data={[from.values, ...counts.map(({ values }) => values)] as AlignedData}
      build={(t: GrafanaTheme2) => barsBuilder({ frame: drawn, bars, x }, t)}
      legend={o.legend}
    />
  );
}

export default plugin(Histogram, { options, custom, color: FieldColorModeId.PaletteClassic });
