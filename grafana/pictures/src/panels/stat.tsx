import {
  type FieldDisplay,
  type PanelProps,
  VizOrientation,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
} from '@grafana/data';
import { BigValue, VizRepeater, useTheme2 } from '@grafana/ui';
import { plugin } from '../fieldOptions';

const options = {
  reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
  orientation: VizOrientation.Auto,
  textMode: 'auto',
  wideLayout: true,
  colorMode: 'value',
  graphMode: 'area',
  justifyMode: 'auto',
  showPercentChange: false,
  percentChangeColorMode: 'standard',
};

function Stat({
  data,
  width,
  height,
  options: o,
  fieldConfig,
  replaceVariables,
  timeZone,
  timeRange,
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
      sparkline: o.graphMode !== 'none',
      percentChange: o.showPercentChange,
    });
  return (
    <VizRepeater<FieldDisplay, ReturnType<typeof getDisplayValueAlignmentFactors>>
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      source={data}
      itemSpacing={3}
      renderCounter={renderCounter}
      autoGrid
      orientation={o.orientation}
      renderValue={({ value: { display, sparkline }, ...size }) => (
        <BigValue
          value={display}
          sparkline={sparkline && { ...sparkline, timeRange }}
          count={size.count}
          width={size.width}
          height={size.height}
          alignmentFactors={size.alignmentFactors}
          colorMode={o.colorMode}
          graphMode={o.graphMode}
          justifyMode={o.justifyMode}
          textMode={o.textMode}
          text={o.text}
          disableWideLayout={!o.wideLayout}
          percentChangeColorMode={o.percentChangeColorMode}
          theme={theme}
        />
      )}
    />
  );
}

export default plugin(Stat, { options }).setNoPadding();
