// A dashboard's JSON as a scene: time, variables, marks, rows and panels.
import * as scenes from '@grafana/scenes';
import { BoardScene } from './BoardScene';
import { type Choices, layOut } from './layout';
import { panelTime } from './panelTime';
import type { BoardPanel, BoardVariable, PictureRequest } from './request';

/** The variables of a board, with the values that the picture asks for. */
export function variablesOf({ board, variables }: PictureRequest): scenes.SceneVariableSet {
  return new scenes.SceneVariableSet({
    variables: board.templating.list.map((variable) => variableOf(variable, variables[variable.name])),
  });
}

/** The board with panels for what the variables have found. */
export function sceneOf(request: PictureRequest, variables: scenes.SceneVariableSet): BoardScene {
  const { board, from, to, marks, unfold } = request;
  const layers = board.annotations.list.map((one, index) => {
    const isEnabled = marks || one.enable;
    return new scenes.dataLayers.AnnotationsDataLayer({
      key: `marks-${index}`,
      name: one.name,
      query: { ...one, enable: isEnabled } as any,
      isEnabled,
      isHidden: Boolean(one.hide),
    });
  });
  return new BoardScene({
    title: board.title,
    links: board.links ?? [],
    $timeRange: new scenes.SceneTimeRange({
      from: from ?? board.time.from,
      to: to ?? board.time.to,
      timeZone: board.timezone || 'browser',
      weekStart: (board.weekStart || undefined) as any,
      fiscalYearStartMonth: board.fiscalYearStartMonth,
    }),
    $variables: variables,
    $data: new scenes.SceneDataLayerSet({ layers }),
    $behaviors: [new scenes.behaviors.CursorSync({ sync: board.graphTooltip as any })],
    body: new scenes.SceneGridLayout({
      children: layOut(board.panels, choicesOf(variables), unfold).map(gridItem),
      isLazy: false,
    }),
    selectors: new scenes.VariableValueSelectors({}),
    time: new scenes.SceneTimePicker({ isOnCanvas: true }),
    refresh: new scenes.SceneRefreshPicker({ refresh: '', isOnCanvas: true }),
  });
}

function variableOf(variable: BoardVariable, wanted?: string[]): scenes.SceneVariable {
  const { name, label, description, hide, query } = variable;
  const current = wanted
    ? { value: wanted, text: wanted }
    : { value: variable.current?.value ?? '', text: variable.current?.text ?? '' };
  const base = { name, label, description, hide: hide as any };
  const choice = {
    ...base,
    ...current,
    isMulti: variable.multi,
    includeAll: variable.includeAll,
    allValue: variable.allValue,
    defaultToAll: variable.includeAll,
  };
  switch (variable.type) {
    case 'query': {
      const { datasource, regex, sort, refresh, definition } = variable;
      return new scenes.QueryVariable({ ...choice, query, datasource, regex, sort, refresh, definition });
    }
    case 'custom':
      return new scenes.CustomVariable({ ...choice, query });
    case 'datasource':
      return new scenes.DataSourceVariable({ ...choice, pluginId: query, regex: variable.regex });
    case 'interval':
      return new scenes.IntervalVariable({
        ...base,
        value: wanted?.[0] ?? variable.current?.value ?? '',
        intervals: String(query).split(','),
        autoEnabled: variable.auto,
        autoMinInterval: variable.auto_min,
        autoStepCount: variable.auto_count,
      });
    case 'constant':
      return new scenes.ConstantVariable({ ...base, value: query });
    case 'textbox':
      return new scenes.TextBoxVariable({ ...base, value: wanted?.[0] ?? variable.current?.value ?? query });
  }
  throw Error(`no picture of a variable of type ${variable.type}: see src/scene.ts`);
}

// The values of a variable as chosen; "all" stands for each of them.
function choicesOf(variables: scenes.SceneVariableSet): Choices {
  return (name) => {
    const variable = variables.getByName(name);
    if (!(variable instanceof scenes.MultiValueVariable)) {
      return [];
    }
    const options: scenes.VariableValueOption[] = variable.state.options;
    const chosen = variable.hasAllValue() ? options.map(({ value }) => value) : [variable.getValue()].flat();
    return chosen.map((value) => ({
      value: String(value),
      text: options.find((option) => option.value === value)?.label ?? String(value),
    }));
  };
}

function gridItem(panel: BoardPanel): scenes.SceneGridItem | scenes.SceneGridRow {
  const { x, y, w: width, h: height } = panel.gridPos;
  if (panel.type === 'row') {
    const children = (panel.panels ?? []).map(gridItem) as scenes.SceneGridItem[];
    return new scenes.SceneGridRow({
      key: `row-${panel.id}`,
      title: panel.title,
      y,
      isCollapsed: panel.collapsed,
      children,
      $variables: scopeOf(panel),
    });
  }
  return new scenes.SceneGridItem({
    key: `item-${panel.id}`,
    x,
    y,
    width,
    height,
    isResizable: false,
    isDraggable: false,
    body: vizPanel(panel),
  });
}

const scopeOf = ({ scope }: BoardPanel) =>
  scope && new scenes.SceneVariableSet({ variables: [new scenes.LocalValueVariable(scope)] });

function vizPanel(panel: BoardPanel): scenes.VizPanel {
  const { title, description, options = {}, fieldConfig = { defaults: {}, overrides: [] } } = panel;
  return new scenes.VizPanel({
    key: `panel-${panel.id}`,
    pluginId: panel.type,
    pluginVersion: panel.pluginVersion,
    title,
    description,
    options,
    fieldConfig: withLowestStep(fieldConfig),
    displayMode: panel.transparent ? 'transparent' : 'default',
    hoverHeader: !title,
    $data: panel.targets?.length ? dataOf(panel) : undefined,
    $timeRange: panelTime(panel),
    $variables: scopeOf(panel),
  });
}

// JSON has no -Infinity: the first step of thresholds is null there, until Grafana loads it.
function withLowestStep({ defaults, overrides }: any): any {
  const loaded = (thresholds: any) =>
    thresholds && {
      ...thresholds,
      steps: thresholds.steps.map((step: any) => ({ ...step, value: step.value ?? -Infinity })),
    };
  return {
    defaults: { ...defaults, thresholds: loaded(defaults.thresholds) },
    overrides: overrides.map(({ matcher, properties }: any) => ({
      matcher,
      properties: properties.map((property: any) =>
        property.id === 'thresholds' ? { ...property, value: loaded(property.value) } : property,
      ),
    })),
  };
}

const dataOf = ({ datasource, targets = [], interval, maxDataPoints, transformations = [] }: BoardPanel) =>
  new scenes.SceneDataTransformer({
    $data: new scenes.SceneQueryRunner({
      datasource,
      queries: targets,
      minInterval: interval,
      maxDataPoints,
      maxDataPointsFromWidth: true,
    }),
    transformations,
  });
