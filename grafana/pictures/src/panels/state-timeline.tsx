import {
  type DataFrame,
  type DisplayValue,
  type Field,
  type GrafanaTheme2,
  type PanelProps,
  colorManipulator,
  getFieldDisplayName,
  outerJoinDataFrames,
} from '@grafana/data';
import { ScaleDirection, VisibilityMode } from '@grafana/schema';
import {
  UPlotChart,
  type UPlotConfigBuilder,
  VizLayout,
  VizLegend,
  getTextColorForAlphaBackground,
  useTheme2,
} from '@grafana/ui';
import { useMemo } from 'react';
import type uPlot from 'uplot';
import type { AlignedData } from 'uplot';
import { plugin } from '../fieldOptions';
import { Nothing } from '../plot/Nothing';
import { rowsOverTime, undrawn } from '../plot/rows';
import { isTime, shownBy, textOf } from '../plot/values';

const options = {
  mergeValues: true,
  showValue: VisibilityMode.Auto,
  alignValue: 'left',
  rowHeight: 0.9,
  legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
};
const custom = {
  lineWidth: 0,
  fillOpacity: 70,
  spanNulls: false,
  insertNulls: null,
  hideFrom: null,
  axisWidth: null,
};

/** A state from one time to another, in ms. */
interface State {
  begin: number;
  end: number;
  value: unknown;
}

function Timeline({ data, width, height, options: o, fieldConfig, timeRange, timeZone }: PanelProps) {
  const theme = useTheme2();
  const joined = useMemo(() => joinedByTime(data.series), [data.series]);
  const builder = useMemo(
    () => joined && build(joined, { ...o, timeRange, timeZone }, theme),
    [joined, o, timeRange, timeZone, theme, width],
  );
  if (!joined || !builder) {
    return <Nothing fieldConfig={fieldConfig} />;
  }
  const [times, ...rows] = joined.fields;
  const plotData = [times.values, ...rows.map(() => times.values.map(() => 0))] as AlignedData;
  const legend = o.legend.showLegend && (
    <VizLayout.Legend placement={o.legend.placement}>
      <VizLegend
        placement={o.legend.placement}
        displayMode={o.legend.displayMode}
        items={legendOf(rows, theme)}
      />
    </VizLayout.Legend>
  );
  return (
    <VizLayout width={width} height={height} legend={legend || null}>
      {(plotWidth: number, plotHeight: number) => (
        <UPlotChart config={builder} data={plotData} width={plotWidth} height={plotHeight} />
      )}
    </VizLayout>
  );
}

function joinedByTime(frames: DataFrame[]): DataFrame | undefined {
  const timed = frames.filter(({ fields, length }) => length && fields.some(isTime));
  // Names must be found before the join, which forgets whose neighbours the fields were.
  const named = timed.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) =>
      isTime(field)
        ? field
        : { ...field, state: { ...field.state, displayName: getFieldDisplayName(field, frame, timed) } },
    ),
  }));
  return named.length > 1 ? outerJoinDataFrames({ frames: named }) : named[0];
}

/** The states of a row: equal neighbours are one, and a missing sample ends it after one step. */
export function statesOf(times: number[], values: unknown[], step: number): State[] {
  const states: State[] = [];
  times.forEach((time, index) => {
    const value = values[index];
    const last = states.at(-1);
    if (value === null || value === undefined || Number.isNaN(value)) {
      return;
    }
    if (last && last.end >= time) {
      if (last.value === value) {
        last.end = time + step;
        return;
      }
      last.end = time;
    }
    states.push({ begin: time, end: time + step, value });
  });
  return states;
}

// Without a step in the data: the least distance of two samples.
function stepOf({ config, values }: Field): number {
  return config.interval ?? Math.min(...values.slice(1).map((time, index) => time - values[index]));
}

function build(
  joined: DataFrame,
  { timeRange, timeZone, rowHeight, showValue, alignValue }: any,
  theme: GrafanaTheme2,
): UPlotConfigBuilder {
  const [times, ...rows] = joined.fields;
  const states = rows.map(({ values }) => statesOf(times.values, values, stepOf(times)));
  const names = rows.map((field) => getFieldDisplayName(field, joined));
  const builder = rowsOverTime(
    { names, direction: ScaleDirection.Down, grid: true },
    timeRange,
    timeZone,
    theme,
  );
  rows.forEach((_, index) =>
    builder.addSeries({
      ...undrawn(theme),
      dataFrameFieldIndex: { frameIndex: 0, fieldIndex: index + 1 },
    }),
  );
  builder.addHook('draw', (plot: uPlot) => {
    const { ctx, bbox } = plot;
    const px = devicePixelRatio;
    const slot = bbox.height / rows.length;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${theme.typography.bodySmall.fontWeight ?? 400} ${12 * px}px ${theme.typography.fontFamily}`;
    ctx.textBaseline = 'middle';
    ctx.textAlign = alignValue;
    rows.forEach((field, row) => {
      const { fillOpacity = 70, lineWidth = 0 } = field.config.custom ?? {};
      const top = bbox.top + (row + (1 - rowHeight) / 2) * slot;
      for (const { begin, end, value } of states[row]) {
        const shown = shownBy(field, value, theme);
        const color = shown.color ?? theme.colors.text.primary;
        const left = plot.valToPos(begin, 'x', true);
        const width = plot.valToPos(end, 'x', true) - left;
        const fill = colorManipulator.alpha(color, fillOpacity / 100);
        ctx.fillStyle = fill;
        ctx.fillRect(left, top, width, slot * rowHeight);
        if (lineWidth) {
          ctx.strokeStyle = color;
          ctx.lineWidth = lineWidth * px;
          ctx.strokeRect(left, top, width, slot * rowHeight);
        }
        const visible = Math.max(left, bbox.left);
        const room = Math.min(left + width, bbox.left + bbox.width) - visible;
        const text = textOf(shown);
        if (
          showValue === VisibilityMode.Always ||
          (showValue === VisibilityMode.Auto && ctx.measureText(text).width + 10 * px < room)
        ) {
          const x = { left: visible + 5 * px, center: visible + room / 2, right: visible + room - 5 * px }[
            alignValue as 'left'
          ];
          ctx.fillStyle = getTextColorForAlphaBackground(fill, theme.isDark);
          ctx.fillText(text, x, top + (slot * rowHeight) / 2);
        }
      }
    });
    ctx.restore();
  });
  return builder;
}

function legendOf(rows: Field[], theme: GrafanaTheme2) {
  const shown = new Map<string, DisplayValue>();
  for (const field of rows) {
    for (const value of new Set(field.values)) {
      if (value !== null && value !== undefined) {
        const one = shownBy(field, value, theme);
        shown.set(textOf(one), one);
      }
    }
  }
  return [...shown].map(([label, { color }]) => ({
    label,
    color: color ?? theme.colors.text.primary,
    yAxis: 1,
  }));
}

export default plugin(Timeline, { options, custom });
