// The options of fields: Grafana's application registers them with their editors, the pictures with what applies them.
import * as data from '@grafana/data';

type Process = data.FieldConfigPropertyItem['process'];

const option = (
  id: string,
  process: Process,
  more: Partial<data.FieldConfigPropertyItem> = {},
): data.FieldConfigPropertyItem => ({
  id,
  path: id,
  name: id,
  description: '',
  editor: () => null,
  override: () => null,
  process,
  shouldApply: () => true,
  settings: {},
  ...more,
});

const ofNumbers = { shouldApply: (field: data.Field) => field.type === data.FieldType.number };

/** Those that fields of every panel have. */
export const standardFieldOptions = (): data.FieldConfigPropertyItem[] => [
  option('displayName', data.displayNameOverrideProcessor, {
    settings: { expandTemplateVars: true },
    hideFromDefaults: true,
  }),
  option('unit', data.unitOverrideProcessor),
  option('min', data.numberOverrideProcessor, ofNumbers),
  option('max', data.numberOverrideProcessor, ofNumbers),
  option('fieldMinMax', data.booleanOverrideProcessor, ofNumbers),
  option('decimals', data.numberOverrideProcessor, ofNumbers),
  option('color', data.identityOverrideProcessor),
  option('noValue', data.displayNameOverrideProcessor),
  option('links', data.dataLinksOverrideProcessor),
  option('actions', data.identityOverrideProcessor),
  option('filterable', data.booleanOverrideProcessor),
  option('mappings', data.valueMappingsOverrideProcessor, { defaultValue: [] }),
  option('thresholds', data.thresholdsOverrideProcessor, {
    defaultValue: {
      mode: data.ThresholdsMode.Absolute,
      steps: [
        { value: -Infinity, color: 'green' },
        { value: 80, color: 'red' },
      ],
    },
  }),
];

interface Defaults {
  /** Of the panel. */
  options?: Record<string, unknown>;
  /** Of its fields, `custom` in the JSON. An override of an option that is not named here is not applied, as in Grafana. */
  custom?: Record<string, unknown>;
  /** How fields get their colours where the board does not say. */
  color?: data.FieldColorModeId;
}

/** A panel's plugin: the component that draws it, and what holds where a board says nothing. */
export function plugin<Options extends object>(
  component: React.ComponentType<data.PanelProps<Options>>,
  { options = {}, custom = {}, color = data.FieldColorModeId.Thresholds }: Defaults = {},
): data.PanelPlugin<Options, any> {
  return new data.PanelPlugin<Options, any>(component)
    .setPanelOptions((builder) => {
      for (const [path, defaultValue] of Object.entries(options)) {
        builder.addCustomEditor({
          id: path,
          path: path as never,
          name: path,
          editor: () => null,
          defaultValue: defaultValue as never,
        });
      }
    })
    .useFieldConfig({
      standardOptions: {
        [data.FieldConfigProperty.Color]: {
          settings: { byValueSupport: true, bySeriesSupport: true },
          defaultValue: { mode: color },
        },
      },
      useCustomConfig: (builder) => {
        for (const [path, defaultValue] of Object.entries(custom)) {
          builder.addCustomEditor({
            id: path,
            path,
            name: path,
            editor: () => null,
            override: () => null,
            process: data.identityOverrideProcessor,
            shouldApply: () => true,
            defaultValue: defaultValue ?? undefined,
          });
        }
      },
    });
}
