import {
  type DataFrame,
  FieldColorModeId,
  FieldType,
  type GrafanaTheme2,
  type PanelProps,
  getFieldDisplayName,
} from '@grafana/data';
import { StackingMode, VisibilityMode } from '@grafana/schema';
import { useTheme2 } from '@grafana/ui';
import { useMemo } from 'react';
import type uPlot from 'uplot';
import type { AlignedData } from 'uplot';
import { plugin } from '../fieldOptions';
import { Nothing, isEmpty } from '../plot/Nothing';
import { Plot } from '../plot/Plot';
import { type Bar, barsBuilder } from '../plot/bars';
import { isNumber, isTime, shownBy, textOf } from '../plot/values';

const options = {
  orientation: 'auto',
  xTickLabelRotation: 0,
  xTickLabelSpacing: 0,
  showValue: VisibilityMode.Auto,
  stacking: StackingMode.None,
  groupWidth: 0.7,
  barWidth: 0.97,
  legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: true },
};

const custom = {
  lineWidth: 1,
  fillOpacity: 80,
  gradientMode: 'none',
  axisPlacement: 'auto',
  axisLabel: null,
  axisWidth: null,
  axisSoftMin: null,
  axisSoftMax: null,
  axisColorMode: 'text',
  axisBorderShow: false,
  axisCenteredZero: false,
  axisGridShow: null,
  scaleDistribution: null,
  hideFrom: null,
  thresholdsStyle: null,
};

function BarChart({ data, width, height, options: o, fieldConfig }: PanelProps) {
  const theme = useTheme2();
  const frame = useMemo(() => categories(data.series, o.xField), [data.series, o.xField]);
  if (isEmpty(data) || !frame) {
    return <Nothing fieldConfig={fieldConfig} />;
  }
  const [names, ...fields] = frame.fields;
  const isHorizontal =
    o.orientation === 'horizontal' || (o.orientation === 'auto' && width < height && names.values.length > 1);
  const bars = barsOf(frame, o);
  const indexes = names.values.map((_, index) => index);
  // What the axis must reach: the ends of the bars, which lie higher where they are stacked.
  const tops = fields.map((field) =>
    names.values.map(
      (_, index) =>
        bars.find((bar) => bar.field === field && Math.floor(bar.begin + 0.5) === index)?.top ?? null,
    ),
  );

  const x = {
    range: [-0.5, names.values.length - 0.5] as [number, number],
    splits: (plot: uPlot) =>
      everyNth(indexes, o.xTickLabelSpacing, (isHorizontal ? plot.height : plot.width) || width),
    text: (index: number) => categoryText(frame, index, theme),
    rotation: o.xTickLabelRotation,
  };
  return (
    <Plot
      width={width}
      height={height}
      frame={frame}
      data={[indexes, ...tops] as AlignedData}
      build={(t) =>
        barsBuilder({ frame, bars, x, isHorizontal, showValue: o.showValue, valueSize: o.text?.valueSize }, t)
      }
      legend={o.legend}
    />
  );
}

/** The first frame, its categories first: the field asked for, or the first text, or the times. */
function categories([frame]: DataFrame[], wanted?: string): DataFrame | undefined {
  const names =
    frame?.fields.find((field) => wanted && getFieldDisplayName(field, frame) === wanted) ??
    frame?.fields.find(({ type }) => type === FieldType.string) ??
    frame?.fields.find(isTime);
  const numbers = frame?.fields.filter(
    (field) => isNumber(field) && field !== names && !field.config.custom?.hideFrom?.viz,
  );
  return names && numbers?.length ? { ...frame, fields: [names, ...numbers] } : undefined;
}

// Around each index on the x axis lies a group: bars side by side, or one upon the other.
function barsOf({ fields: [names, ...fields] }: DataFrame, { stacking, groupWidth, barWidth }: any): Bar[] {
  const isStacked = stacking !== StackingMode.None;
  const slot = isStacked ? groupWidth : groupWidth / fields.length;
  return names.values.flatMap((_, index) => {
    const reached = { up: 0, down: 0 };
    const sum = fields.reduce((total, field) => total + Math.abs(field.values[index] ?? 0), 0);
    return fields.flatMap((field, place) => {
      const value = field.values[index];
      if (!Number.isFinite(value)) {
        return [];
      }
      const middle = index - groupWidth / 2 + slot * ((isStacked ? 0 : place) + 0.5);
      const side = value < 0 ? 'down' : 'up';
      const base = isStacked ? reached[side] : 0;
      const top = base + (stacking === StackingMode.Percent ? value / sum : value);
      reached[side] = top;
      return [
        {
          field,
          value,
          begin: middle - (slot * barWidth) / 2,
          end: middle + (slot * barWidth) / 2,
          base,
          top,
        },
      ];
    });
  });
}

function categoryText({ fields: [names] }: DataFrame, index: number, theme: GrafanaTheme2): string {
  return names.values[index] === undefined ? '' : textOf(shownBy(names, names.values[index], theme));
}

/** As many indexes as leave so many px between two labels; a negative distance keeps the last one. */
function everyNth(indexes: number[], spacing: number, length: number): number[] {
  const step = spacing ? Math.ceil((Math.abs(spacing) * indexes.length) / length) : 1;
  const kept = spacing < 0 ? indexes.length - 1 : 0;
  return indexes.filter((index) => (index - kept) % step === 0);
}

export default plugin(BarChart, { options, custom, color: FieldColorModeId.PaletteClassic });
