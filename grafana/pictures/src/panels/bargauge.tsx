import { type PanelProps, VizOrientation } from '@grafana/data';
import { BarGaugeDisplayMode } from '@grafana/schema';
import { BarGauge, useTheme2 } from '@grafana/ui';
import { Values } from '../Values';
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

function BarGauges(panel: PanelProps) {
  const { options: o } = panel;
  const theme = useTheme2();
  const itemSpacing = o.displayMode === BarGaugeDisplayMode.Lcd ? 2 : 10;
  return (
    <Values
      panel={panel}
      itemSpacing={itemSpacing}
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
          itemSpacing={itemSpacing}
          lcdCellWidth={12}
          theme={theme}
        />
      )}
    />
  );
}

export default plugin(BarGauges, { options });
