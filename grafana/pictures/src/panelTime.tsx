// A panel's own time: `timeFrom` holds while the board's range is relative, `timeShift` always.
import { type TimeRange, dateMath, getDefaultTimeRange, rangeUtil } from '@grafana/data';
import {
  type SceneComponentProps,
  type SceneTimeRangeLike,
  SceneTimeRangeTransformerBase,
  type SceneTimeRangeState,
} from '@grafana/scenes';
import { PanelChrome } from '@grafana/ui';

interface PanelTimeState extends SceneTimeRangeState {
  timeFrom?: string | null;
  timeShift?: string | null;
  hideTimeOverride?: boolean;
  timeInfo?: string;
}

export class PanelTime extends SceneTimeRangeTransformerBase<PanelTimeState> {
  static Component = PanelTimeInfo;

  constructor(state: Pick<PanelTimeState, 'timeFrom' | 'timeShift' | 'hideTimeOverride'>) {
    super({ ...state, from: 'now-6h', to: 'now', value: getDefaultTimeRange() });
  }

  protected ancestorTimeRangeChanged(board: SceneTimeRangeState): void {
    this.setState(this.within(board.value));
  }

  private within(board: TimeRange): { value: TimeRange; timeInfo: string } {
    const { timeFrom, timeShift } = this.state;
    const zone = this.getTimeZone();
    let value = board;
    let timeInfo = '';
    if (timeFrom && rangeUtil.isRelativeTimeRange(board.raw)) {
      const own = rangeUtil.describeTextRange(timeFrom);
      if (own.invalid) {
        return { value, timeInfo: `invalid time: ${timeFrom}` };
      }
      const raw = { from: own.from, to: own.to };
      value = {
        from: dateMath.toDateTime(own.from, { roundUp: false, timezone: zone })!,
        to: dateMath.toDateTime(own.to, { roundUp: true, timezone: zone })!,
        raw,
      };
      timeInfo = own.display;
    }
    if (timeShift) {
      const shift = (roundUp: boolean) =>
        dateMath.parseDateMath(`-${timeShift}`, roundUp ? value.to : value.from, roundUp)!;
      const raw = { from: shift(false), to: shift(true) };
      value = { ...raw, raw };
      timeInfo += ` timeshift -${timeShift}`;
    }
    return { value, timeInfo };
  }
}

/** The board's time where a panel has none of its own. */
export const panelTime = (panel: {
  timeFrom?: string | null;
  timeShift?: string | null;
  hideTimeOverride?: boolean;
}): SceneTimeRangeLike | undefined =>
  panel.timeFrom || panel.timeShift
    ? new PanelTime({
        timeFrom: panel.timeFrom,
        timeShift: panel.timeShift,
        hideTimeOverride: panel.hideTimeOverride,
      })
    : undefined;

function PanelTimeInfo({ model }: SceneComponentProps<PanelTime>) {
  const { timeInfo, hideTimeOverride } = model.useState();
  return timeInfo && !hideTimeOverride ? (
    <PanelChrome.TitleItem title={timeInfo}>{timeInfo}</PanelChrome.TitleItem>
  ) : null;
}
