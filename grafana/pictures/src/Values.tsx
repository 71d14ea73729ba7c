import {
  type FieldDisplay,
  type GetFieldDisplayValuesOptions,
  type PanelProps,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
} from '@grafana/data';
import { VizRepeater, useTheme2 } from '@grafana/ui';
import type { ComponentProps } from 'react';

type Repeater = ComponentProps<
  typeof VizRepeater<FieldDisplay, ReturnType<typeof getDisplayValueAlignmentFactors>>
>;

interface Props extends Pick<Repeater, 'itemSpacing' | 'autoGrid' | 'renderValue'> {
  panel: PanelProps;
  /** What each value brings besides. */
  besides?: Pick<GetFieldDisplayValuesOptions, 'sparkline' | 'percentChange'>;
}

/** One picture for each value that a panel's options take from its data, laid out as Grafana does. */
export function Values({ panel, besides, ...repeated }: Props) {
  const { data, width, height, options, fieldConfig, replaceVariables, timeZone, renderCounter } = panel;
  const theme = useTheme2();
  const getValues = () =>
    getFieldDisplayValues({
      data: data.series,
      reduceOptions: options.reduceOptions,
      fieldConfig,
      replaceVariables,
      theme,
      timeZone,
      ...besides,
    });
  return (
    <VizRepeater
      {...repeated}
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      source={data}
      renderCounter={renderCounter}
      orientation={options.orientation}
      minVizWidth={options.minVizWidth}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
    />
  );
}
