// Bars of one frame: where each begins and ends on both axes, and how it is filled.
import {
  type DataFrame,
  type Field,
  type GrafanaTheme2,
  colorManipulator,
  getFieldSeriesColor,
} from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation, VisibilityMode } from '@grafana/schema';
import { UPlotConfigBuilder } from '@grafana/ui';
import type uPlot from 'uplot';
import { colorOf, shownBy, textOf } from './values';

/** In units of the axes: along x from `begin` to `end`, along y from `base` to `top`. */
export interface Bar {
  field: Field;
  value: number;
  begin: number;
  end: number;
  base: number;
  top: number;
}

export interface Axis {
  range: [number, number];
  splits: (plot: uPlot) => number[];
  text: (at: number) => string;
  rotation?: number;
}

export interface BarsOptions {
  frame: DataFrame;
  bars: Bar[];
  x: Axis;
  isHorizontal?: boolean;
  showValue?: VisibilityMode;
  /** Of the values' text, in px; as large as fits where it is not given. */
  valueSize?: number;
}

const SMALLEST_TEXT = 8;
const LARGEST_TEXT = 20;
/** Part of a bar's width that a text takes. */
const TEXT_OF_BAR = 0.65;
/** Above the highest bar, in px; beside the longest one twice as much. */
const ROOM_FOR_TEXT = 24;

export function barsBuilder(
  { frame, bars, x, isHorizontal = false, showValue = VisibilityMode.Never, valueSize }: BarsOptions,
  theme: GrafanaTheme2,
): UPlotConfigBuilder {
  const builder = new UPlotConfigBuilder();
  const [along, up] = isHorizontal
    ? [ScaleOrientation.Vertical, ScaleOrientation.Horizontal]
    : [ScaleOrientation.Horizontal, ScaleOrientation.Vertical];
  const direction = isHorizontal ? ScaleDirection.Down : ScaleDirection.Right;
  builder.addScale({ scaleKey: 'x', isTime: false, orientation: along, direction, range: () => x.range });
  builder.addAxis({
    scaleKey: 'x',
    isTime: false,
    placement: isHorizontal ? AxisPlacement.Left : AxisPlacement.Bottom,
    splits: x.splits,
    values: (_plot, at) => at.map(x.text),
    tickLabelRotation: x.rotation,
    grid: { show: false },
    ticks: { show: false },
    theme,
  });

  const [first] = frame.fields.slice(1);
  const { min, max, custom = {} } = first.config;
  // Bars begin at zero.
  const edges = {
    min,
    max,
    softMin: custom.axisSoftMin ?? 0,
    softMax: custom.axisSoftMax ?? 0,
    centeredZero: custom.axisCenteredZero,
  };
  builder.addScale({ scaleKey: 'y', orientation: up, direction: ScaleDirection.Up, ...edges });
  builder.addAxis({
    scaleKey: 'y',
    placement: isHorizontal ? AxisPlacement.Bottom : AxisPlacement.Left,
    label: custom.axisLabel,
    formatValue: (value) => textOf(shownBy(first, value, theme)),
    theme,
  });

  if (showValue !== VisibilityMode.Never) {
    builder.setPadding(
      isHorizontal ? [null, 2 * ROOM_FOR_TEXT, null, null] : [ROOM_FOR_TEXT, null, null, null],
    );
  }
  frame.fields.slice(1).forEach((field, index) => {
    field.state = { ...field.state, seriesIndex: index };
    builder.addSeries({
      scaleKey: 'y',
      theme,
      lineColor: getFieldSeriesColor(field, theme).color,
      lineWidth: 0,
      showPoints: VisibilityMode.Never,
      // Known to the axes and the legend; what is seen is drawn below.
      pathBuilder: () => null,
      dataFrameFieldIndex: { frameIndex: 0, fieldIndex: index + 1 },
      show: true,
    });
  });
  builder.addHook('draw', (plot) => {
    for (const bar of bars) {
      draw(plot, bar, isHorizontal, theme);
    }
    if (showValue !== VisibilityMode.Never) {
      write(plot, bars, isHorizontal, showValue === VisibilityMode.Always, theme, valueSize);
    }
  });
  return builder;
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

function boxOf(plot: uPlot, { begin, end, base, top }: Bar, isHorizontal: boolean): Box {
  const along = [begin, end].map((at) => plot.valToPos(at, 'x', true)).sort((a, b) => a - b);
  const up = [base, top].map((at) => plot.valToPos(at, 'y', true)).sort((a, b) => a - b);
  const [[left, right], [above, below]] = isHorizontal ? [up, along] : [along, up];
  return { left, top: above, width: right - left, height: below - above };
}

function draw(plot: uPlot, bar: Bar, isHorizontal: boolean, theme: GrafanaTheme2): void {
  const { left, top, width, height } = boxOf(plot, bar, isHorizontal);
  const { fillOpacity = 80, lineWidth = 1, gradientMode = 'none' } = bar.field.config.custom ?? {};
  const color = colorOf(bar.field, bar.value, theme);
  const filled = colorManipulator.alpha(color, fillOpacity / 100);
  const { ctx } = plot;
  ctx.save();
  ctx.fillStyle = filled;
  if (gradientMode === 'opacity' || gradientMode === 'hue') {
    const gradient = isHorizontal
      ? ctx.createLinearGradient(left + width, 0, left, 0)
      : ctx.createLinearGradient(0, top, 0, top + height);
    gradient.addColorStop(0, filled);
    gradient.addColorStop(
      1,
      gradientMode === 'opacity' ? colorManipulator.alpha(color, 0) : colorManipulator.darken(filled, 0.3),
    );
    ctx.fillStyle = gradient;
  }
  const line = lineWidth * devicePixelRatio;
  ctx.fillRect(left, top, width, height);
  if (line) {
    ctx.strokeStyle = color;
    ctx.lineWidth = line;
    ctx.strokeRect(left + line / 2, top + line / 2, Math.max(width - line, 0), Math.max(height - line, 0));
  }
  ctx.restore();
}

function write(
  plot: uPlot,
  bars: Bar[],
  isHorizontal: boolean,
  always: boolean,
  theme: GrafanaTheme2,
  valueSize?: number,
): void {
  const { ctx } = plot;
  const font = (px: number) => `${px}px ${theme.typography.fontFamily}`;
  const texts = bars.map((bar) => ({
    bar,
    box: boxOf(plot, bar, isHorizontal),
    text: textOf(shownBy(bar.field, bar.value, theme)),
  }));
  ctx.save();
  ctx.font = font(100);
  // All in the size that the tightest of them needs.
  const fits = texts.map(
    ({ box, text }) =>
      TEXT_OF_BAR * (isHorizontal ? box.height : (100 * box.width) / ctx.measureText(text).width),
  );
  const size = valueSize ? valueSize * devicePixelRatio : Math.min(LARGEST_TEXT * devicePixelRatio, ...fits);
  if (always || size >= SMALLEST_TEXT * devicePixelRatio) {
    ctx.font = font(Math.max(size, SMALLEST_TEXT * devicePixelRatio));
    ctx.fillStyle = theme.colors.text.primary;
    const gap = 4 * devicePixelRatio;
    for (const { bar, box, text } of texts) {
      const isBelow = bar.value < 0;
      ctx.textAlign = isHorizontal ? (isBelow ? 'right' : 'left') : 'center';
      ctx.textBaseline = isHorizontal ? 'middle' : isBelow ? 'top' : 'bottom';
      const x = isHorizontal
        ? isBelow
          ? box.left - gap
          : box.left + box.width + gap
        : box.left + box.width / 2;
      const y = isHorizontal
        ? box.top + box.height / 2
        : isBelow
          ? box.top + box.height + gap
          : box.top - gap / 2;
      ctx.fillText(text, x, y);
    }
  }
  ctx.restore();
}
