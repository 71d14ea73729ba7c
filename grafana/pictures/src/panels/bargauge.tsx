import {
  type FieldDisplay,
  type PanelProps,
  VizOrientation,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
} from '@grafana/data';
import { BarGaugeDisplayMode } from '@grafana/schema';
import { BarGauge, VizRepeater, useTheme2 } from '@grafana/ui';
import { plugin } from '../fieldOptions';

const options = {
  reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
  orientation: VizOrientation.Auto,
  displayMode: BarGaugeDisplayMode.Gradient,
  valueMode: 'color',
  namePlacement: 'auto',
  showUnfilled: true,
  minVizWidth: 8,
  minVizHeight: 16,
  maxVizHeight: 300,
};

function BarGauges({
  data,
  width,
  height,
  options: o,
  fieldConfig,
  replaceVariables,
  timeZone,
  renderCounter,
}: PanelProps) {
  const theme = useTheme2();
  const getValues = () =>
    getFieldDisplayValues({
      data: data.series,
      reduceOptions: o.reduceOptions,
      fieldConfig,
      replaceVariables,
      theme,
      timeZone,
    });
  return (
    <VizRepeater<FieldDisplay, ReturnType<typeof getDisplayValueAlignmentFactors>>
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      source={data}
      itemSpacing={o.displayMode === BarGaugeDisplayMode.Lcd ? 2 : 10}
      renderCounter={renderCounter}
      orientation={o.orientation}
      minVizWidth={o.minVizWidth}
      minVizHeight={o.minVizHeight}
      maxVizHeight={o.maxVizHeight}
      renderValue={({ value: { display, field, view, colIndex }, ...size }) => (
        <BarGauge
          value={display}
          field={field}
          display={view?.getFieldDisplayProcessor(colIndex ?? 0)}
          width={size.width}
          height={size.height}
          orientation={size.orientation}
          alignmentFactors={size.alignmentFactors}
          displayMode={o.displayMode}
          valueDisplayMode={o.valueMode}
          namePlacement={o.namePlacement}
          showUnfilled={o.showUnfilled}
          text={o.text}
          itemSpacing={o.displayMode === BarGaugeDisplayMode.Lcd ? 2 : 10}
          lcdCellWidth={12}
          theme={theme}
        />
      )}
    />
  );
}

export default plugin(BarGauges, { options });
