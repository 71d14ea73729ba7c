// What is drawn by uPlot through Grafana's builder, as its panels do that are in no package.
import { type DataFrame, type GrafanaTheme2 } from '@grafana/data';
import { type VizLegendOptions } from '@grafana/schema';
import { PlotLegend, UPlotChart, type UPlotConfigBuilder, VizLayout, useTheme2 } from '@grafana/ui';
import { useMemo } from 'react';
import type { AlignedData } from 'uplot';

interface Props {
  width: number;
  height: number;
  /** Its first field is the x axis; the builder's series are the others. */
  frame: DataFrame;
  /** Of the axes: a list for each field. */
  data: AlignedData;
  build: (theme: GrafanaTheme2, width: number) => UPlotConfigBuilder;
  legend?: VizLegendOptions;
}

export function Plot({ width, height, frame, data, build, legend }: Props) {
  const theme = useTheme2();
  const builder = useMemo(() => build(theme, width), [frame, theme, width]);
  return (
    <VizLayout
      width={width}
      height={height}
      legend={legend?.showLegend ? <PlotLegend data={[frame]} config={builder} {...legend} /> : null}
    >
      {(plotWidth: number, plotHeight: number) => (
        <UPlotChart config={builder} data={data} width={plotWidth} height={plotHeight} />
      )}
    </VizLayout>
  );
}
