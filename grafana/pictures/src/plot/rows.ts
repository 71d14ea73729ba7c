import type { GrafanaTheme2, TimeRange } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation, VisibilityMode } from '@grafana/schema';
import { UPlotConfigBuilder } from '@grafana/ui';

interface Rows {
  names: string[];
  /** Up: the first row is the lowest. */
  direction: ScaleDirection;
  /** Whether time has lines. */
  grid: boolean;
}

/** A plot of named rows, each one high, over time; what stands in them is drawn by a hook. */
export function rowsOverTime(
  { names, direction, grid }: Rows,
  timeRange: TimeRange,
  timeZone: string,
  theme: GrafanaTheme2,
): UPlotConfigBuilder {
  const builder = new UPlotConfigBuilder(timeZone);
  builder.addScale({
    scaleKey: 'x',
    isTime: true,
    orientation: ScaleOrientation.Horizontal,
    direction: ScaleDirection.Right,
    range: () => [timeRange.from.valueOf(), timeRange.to.valueOf()],
  });
  builder.addAxis({
    scaleKey: 'x',
    isTime: true,
    placement: AxisPlacement.Bottom,
    timeZone,
    theme,
    grid: { show: grid },
  });
  builder.addScale({
    scaleKey: 'rows',
    orientation: ScaleOrientation.Vertical,
    direction,
    range: () => [0, names.length],
  });
  builder.addAxis({
    scaleKey: 'rows',
    placement: AxisPlacement.Left,
    splits: () => names.map((_, row) => row + 0.5),
    values: () => names,
    grid: { show: false },
    ticks: { show: false },
    theme,
  });
  return builder;
}

/** A series of which uPlot itself draws nothing. */
export const undrawn = (theme: GrafanaTheme2) => ({
  scaleKey: 'rows',
  theme,
  lineWidth: 0,
  lineColor: 'transparent',
  showPoints: VisibilityMode.Never,
  pathBuilder: () => null,
  show: true,
});
