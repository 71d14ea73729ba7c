// Annotations on a curve: a dashed line with a foot, or a band where one lasts.
import { DataFrameView, type DataFrame, type GrafanaTheme2, colorManipulator } from '@grafana/data';
import type uPlot from 'uplot';

interface Mark {
  time: number;
  timeEnd?: number;
  isRegion?: boolean;
  color?: string;
}

/** Draws them all onto a plot. */
export function drawMarks(plot: uPlot, frames: DataFrame[], theme: GrafanaTheme2): void {
  const { ctx, bbox } = plot;
  const px = devicePixelRatio;
  const bottom = bbox.top + bbox.height;
  const at = (time: number) => Math.round(plot.valToPos(time, 'x', true));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height + 6 * px);
  ctx.clip();
  for (const frame of frames) {
    for (const mark of new DataFrameView<Mark>(frame).toArray()) {
      const color = theme.visualization.getColorByName(mark.color || 'cyan');
      const left = at(mark.time);
      const right = mark.isRegion && mark.timeEnd ? at(mark.timeEnd) : left;
      ctx.strokeStyle = ctx.fillStyle = color;
      ctx.lineWidth = px;
      ctx.setLineDash([5 * px, 5 * px]);
      for (const x of new Set([left, right])) {
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bottom);
        ctx.stroke();
      }
      if (right > left) {
        ctx.fillRect(left, bottom, right - left, 5 * px);
        ctx.fillStyle = colorManipulator.alpha(color, 0.1);
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      } else {
        ctx.beginPath();
        ctx.moveTo(left, bottom);
        ctx.lineTo(left - 4 * px, bottom + 5 * px);
        ctx.lineTo(left + 4 * px, bottom + 5 * px);
        ctx.fill();
      }
    }
  }
  ctx.restore();
}
