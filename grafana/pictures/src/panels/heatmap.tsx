import {
  type DataFrame,
  type GrafanaTheme2,
  type PanelProps,
  FieldColorModeId,
  fieldColorModeRegistry,
  formattedValueToString,
  getFieldDisplayName,
  getValueFormat,
} from '@grafana/data';
import { ScaleDirection } from '@grafana/schema';
import { UPlotChart, type UPlotConfigBuilder, VizLayout, useTheme2 } from '@grafana/ui';
import { useMemo } from 'react';
import type uPlot from 'uplot';
import type { AlignedData } from 'uplot';
import { plugin } from '../fieldOptions';
import { Nothing } from '../plot/Nothing';
import { rowsOverTime, undrawn } from '../plot/rows';
import { curves, isNumber, isTime } from '../plot/values';

// A cell for each number of each series: a series is a row; a cell ends at its time, as an upper limit does. What Grafana would count into buckets itself (`calculate`) is not drawn.
const options = {
  calculate: false,
  cellGap: 1,
  color: { scheme: 'Oranges', mode: 'scheme', reverse: false, scale: 'exponential', exponent: 0.5 },
  filterValues: { le: 1e-9 },
  yAxis: {},
};

/** Schemes of the heatmap that are called otherwise among the colours of fields. */
const SCHEMES: Record<string, string> = {
  Oranges: 'continuous-YlRd',
  RdYlGn: 'continuous-RdYlGr',
  Blues: FieldColorModeId.ContinuousBlues,
  Purples: FieldColorModeId.ContinuousPurples,
  Greens: FieldColorModeId.ContinuousGreens,
  Reds: FieldColorModeId.ContinuousReds,
};

function Heatmap({ data, width, height, options: o, fieldConfig, timeRange, timeZone }: PanelProps) {
  const theme = useTheme2();
  const frames = useMemo(() => curves(data.series), [data.series]);
  const builder = useMemo(
    () => build(frames, { ...o, timeRange, timeZone }, theme),
    [frames, o, timeRange, timeZone, theme, width],
  );
  if (!frames.length || o.calculate) {
    return (
      <Nothing
        fieldConfig={
          o.calculate
            ? { defaults: { noValue: 'Not drawn here: calculated buckets' }, overrides: [] }
            : fieldConfig
        }
      />
    );
  }
  const plotData = [
    [timeRange.from.valueOf(), timeRange.to.valueOf()],
    [0, 0],
  ] as AlignedData;
  return (
    <VizLayout width={width} height={height} legend={null}>
      {(plotWidth: number, plotHeight: number) => (
        <UPlotChart config={builder} data={plotData} width={plotWidth} height={plotHeight} />
      )}
    </VizLayout>
  );
}

function build(
  frames: DataFrame[],
  { cellGap, color, filterValues, yAxis, timeRange, timeZone }: any,
  theme: GrafanaTheme2,
): UPlotConfigBuilder {
  const rows = frames.flatMap((frame) => {
    const times = frame.fields.find(isTime)!;
    return frame.fields
      .filter(isNumber)
      .map((field) => ({ name: getFieldDisplayName(field, frame, frames), times, values: field.values }));
  });
  const all = rows.flatMap(({ values }) => values).filter((value) => value !== null);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const scale = fieldColorModeRegistry
    .get(SCHEMES[color.scheme] ?? FieldColorModeId.ContinuousBlues)
    .getCalculator({ config: {} } as never, theme);

  const format = getValueFormat(yAxis.unit ?? 'short');
  const names = rows.map(({ name }) =>
    yAxis.unit && name !== '' && isFinite(+name) ? formattedValueToString(format(+name)) : name,
  );
  const builder = rowsOverTime(
    { names, direction: ScaleDirection.Up, grid: false },
    timeRange,
    timeZone,
    theme,
  );
  builder.addSeries(undrawn(theme));
  builder.addHook('draw', (plot: uPlot) => {
    const { ctx, bbox } = plot;
    const gap = cellGap * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    rows.forEach(({ times, values }, row) => {
      const step = times.config.interval ?? times.values[1] - times.values[0];
      const [bottom, top] = [plot.valToPos(row, 'rows', true), plot.valToPos(row + 1, 'rows', true)];
      times.values.forEach((time, index) => {
        const value = values[index];
        if (value !== null && value > (filterValues.le ?? -Infinity)) {
          const [left, right] = [plot.valToPos(time - step, 'x', true), plot.valToPos(time, 'x', true)];
          const linear = most > least ? (value - least) / (most - least) : 0;
          const share = color.scale === 'exponential' ? linear ** color.exponent : linear;
          ctx.fillStyle = scale(value, color.reverse ? 1 - share : share);
          ctx.fillRect(left, top, right - left - gap, bottom - top - gap);
        }
      });
    });
    ctx.restore();
  });
  return builder;
}

export default plugin(Heatmap, { options, custom: { hideFrom: null, scaleDistribution: null } });
