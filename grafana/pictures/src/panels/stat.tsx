import { type PanelProps, VizOrientation } from '@grafana/data';
import { BigValue, useTheme2 } from '@grafana/ui';
import { Values } from '../Values';
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

function Stat(panel: PanelProps) {
  const { options: o, timeRange } = panel;
  const theme = useTheme2();
  return (
    <Values
      panel={panel}
      besides={{ sparkline: o.graphMode !== 'none', percentChange: o.showPercentChange }}
      itemSpacing={3}
      autoGrid
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
