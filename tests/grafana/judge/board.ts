// What a dashboard of ours may hold, by the types of the newest @grafana/schema; tests/grafana/test_types.py.
import type { AnnotationQuery, Dashboard, FieldConfig, FieldConfigSource, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type * as barchart from '@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as histogram from '@grafana/schema/dist/esm/raw/composable/histogram/panelcfg/x/HistogramPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has the texts of enums, of which TypeScript wants the names; and what has a default may be left out.
type Written<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Written<Item>[]
    : T extends object
      ? { [Key in keyof T]?: Written<T[Key]> }
      : T;

type Typed<Type extends string, Options, Custom> = Omit<Written<Panel>, 'type' | 'options' | 'fieldConfig'> & {
  type: Type;
  options: Written<Options>;
  fieldConfig: {
    defaults: Omit<Written<FieldConfig>, 'custom'> & { custom: Written<Custom> };
    overrides: FieldConfigSource['overrides'];
  };
};

type Typeds =
  | Typed<'barchart', barchart.Options, barchart.FieldConfig>
  | Typed<'bargauge', bargauge.Options, Record<string, never>>
  | Typed<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | Typed<'histogram', histogram.Options, histogram.FieldConfig>
  | Typed<'stat', stat.Options, Record<string, never>>
  // Its plugin knows spanNulls, the schema does not.
  | Typed<'state-timeline', timeline.Options, timeline.FieldConfig & { spanNulls?: boolean }>
  | Typed<'table', table.Options, table.FieldConfig>
  | Typed<'timeseries', timeseries.Options, timeseries.FieldConfig>;

export type Board = Omit<Written<Dashboard>, 'annotations' | 'panels' | 'templating'> & {
  // What a data source asks of annotations is free by design.
  annotations: { list: (Omit<Written<AnnotationQuery>, 'target'> & Record<string, unknown>)[] };
  panels: (Typeds | (Omit<Written<RowPanel>, 'panels'> & { type: 'row'; panels: Typeds[] }))[];
  // Grafana keeps what it shows of a query there.
  templating: { list: (Written<VariableModel> & { definition?: string })[] };
};
