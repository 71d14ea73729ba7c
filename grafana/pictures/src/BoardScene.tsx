// The page of a dashboard as Grafana lays it out: title and time, variables and links, panels.
import {
  ControlsLabel,
  SceneGridLayout,
  SceneObjectBase,
  SceneRefreshPicker,
  SceneTimePicker,
  VariableValueSelectors,
  type SceneComponentProps,
  type SceneObjectState,
  dataLayers,
  sceneGraph,
} from '@grafana/scenes';
import { Icon, LinkButton, useTheme2 } from '@grafana/ui';
import type { BoardLink } from './request';

interface BoardState extends SceneObjectState {
  title: string;
  links: BoardLink[];
  selectors: VariableValueSelectors;
  time: SceneTimePicker;
  refresh: SceneRefreshPicker;
  body: SceneGridLayout;
}

export class BoardScene extends SceneObjectBase<BoardState> {
  static Component = BoardPage;
}

function BoardPage({ model }: SceneComponentProps<BoardScene>) {
  const { title, links, selectors, time, refresh, body } = model.useState();
  // Its annotations are the layers of its data.
  const marks = sceneGraph.findAllObjects(
    model,
    (one) => one instanceof dataLayers.AnnotationsDataLayer,
  ) as dataLayers.AnnotationsDataLayer[];
  const theme = useTheme2();
  const bar = {
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: theme.spacing(1),
    marginBottom: theme.spacing(2),
  } as const;
  return (
    <div
      style={{
        background: theme.colors.background.canvas,
        minHeight: '100vh',
        padding: theme.spacing(1.5, 2, 2),
      }}
    >
      <div style={bar}>
        <Icon name="apps" />
        <span style={{ ...theme.typography.h5, flexGrow: 1 }}>{title}</span>
        <time.Component model={time} />
        <refresh.Component model={refresh} />
      </div>
      <div style={bar}>
        <selectors.Component model={selectors} />
        {marks.map((mark) => (
          <MarkSwitch key={mark.state.key} mark={mark} />
        ))}
        <div style={{ ...bar, margin: '0 0 0 auto' }}>
          {links.map((link) => (
            <LinkButton
              key={link.title}
              icon={link.type === 'dashboards' ? 'bars' : 'apps'}
              size="sm"
              variant="secondary"
              fill="outline"
            >
              {link.title}
            </LinkButton>
          ))}
        </div>
      </div>
      {/* The grid takes the width of a flex box. */}
      <div style={{ display: 'flex' }}>
        <body.Component model={body} />
      </div>
    </div>
  );
}

const MarkSwitch = ({ mark }: { mark: dataLayers.AnnotationsDataLayer }) =>
  mark.state.isHidden ? null : (
    <div style={{ display: 'flex' }}>
      <ControlsLabel label={mark.state.name} htmlFor={`data-layer-${mark.state.key}`} />
      <mark.Component model={mark} />
    </div>
  );
