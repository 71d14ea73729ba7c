import { type DataFrame, FieldColorModeId, type PanelProps, applyNullInsertThreshold } from '@grafana/data';
import { TimeSeries, type UPlotConfigBuilder, useTheme2 } from '@grafana/ui';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import type uPlot from 'uplot';
import { plugin } from '../fieldOptions';
import { Nothing } from '../plot/Nothing';
import { drawMarks } from '../plot/marks';
import { curves } from '../plot/values';

const options = {
  legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: true },
  tooltip: { mode: 'single', sort: 'none' },
};

const custom = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  barAlignment: 0,
  barWidthFactor: 0.6,
  barMaxWidth: null,
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  fillBelowTo: null,
  lineStyle: null,
  spanNulls: false,
  insertNulls: false,
  showPoints: 'auto',
  showValues: null,
  pointSize: 5,
  stacking: { mode: 'none', group: 'A' },
  transform: null,
  axisPlacement: 'auto',
  axisLabel: null,
  axisWidth: null,
  axisSoftMin: null,
  axisSoftMax: null,
  axisColorMode: 'text',
  axisBorderShow: false,
  axisCenteredZero: false,
  axisGridShow: null,
  scaleDistribution: { type: 'linear' },
  hideFrom: { tooltip: false, viz: false, legend: false },
  thresholdsStyle: { mode: 'off' },
};

function Curves({ data, width, height, options: o, fieldConfig, timeRange, timeZone }: PanelProps) {
  // As the plugin does: otherwise only the first of several curves has its gaps, and bars their width.
  const frames = useMemo(
    () =>
      curves(data.series).map((frame) =>
        applyNullInsertThreshold({
          frame,
          refFieldPseudoMin: timeRange.from.valueOf(),
          refFieldPseudoMax: timeRange.to.valueOf(),
        }),
      ),
    [data.series, timeRange],
  );
  if (!frames.length) {
    return <Nothing fieldConfig={fieldConfig} />;
  }
  return (
    <TimeSeries
      frames={frames}
      structureRev={data.structureRev}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={o.legend}
      options={o}
    >
      {(builder) => <Marks builder={builder} frames={data.annotations ?? []} />}
    </TimeSeries>
  );
}

function Marks({ builder, frames }: { builder: UPlotConfigBuilder; frames: DataFrame[] }) {
  const theme = useTheme2();
  const latest = useRef(frames);
  const plot = useRef<uPlot>(null);
  // Before the plot is made, in an effect that runs later.
  useLayoutEffect(() => {
    builder.addHook('init', (made) => (plot.current = made));
    builder.addHook('draw', (drawn) => drawMarks(drawn, latest.current, theme));
  }, [builder, theme]);
  // Marks may be known later than the curve.
  useEffect(() => {
    latest.current = frames;
    plot.current?.redraw(false);
  }, [frames]);
  return null;
}

export default plugin(Curves, { options, custom, color: FieldColorModeId.PaletteClassic }).setDataSupport({
  annotations: true,
  alertStates: true,
});
