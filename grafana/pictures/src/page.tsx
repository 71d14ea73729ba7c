// The page of one picture: Grafana's services, the board as a scene, and word to the driver when all is drawn.
import { type GrafanaTheme2, LoadingState, type PanelData, ThemeContext } from '@grafana/data';
import {
  SceneGridRow,
  type SceneObject,
  type SceneVariableSet,
  VizPanel,
  dataLayers,
  sceneGraph,
  sceneUtils,
} from '@grafana/scenes';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';
import { BoardScene } from './BoardScene';
import { setClock } from './clock';
import type { BoardPanel, PictureState } from './request';
import { sceneOf, variablesOf } from './scene';
import { startServices } from './services';

const request = window.pictureRequest;
const state = (window.pictureState = { done: false, problems: [] } as PictureState);

start().catch((error) => {
  state.problems.push(String(error.stack ?? error));
  state.done = true;
});

async function start(): Promise<void> {
  const theme = await startServices(request.theme);
  await registerPanels(request.board.panels);
  const variables = variablesOf(request);
  setClock(request.now);
  // Repeated panels need the values; so the variables are asked for in a scene without panels first.
  await settled(sceneOf({ ...request, board: { ...request.board, panels: [] } }, variables), variables);
  // Again, as time has gone on since.
  setClock(request.now);
  const scene = sceneOf(request, variables.clone());
  createRoot(document.getElementById('root')!).render(<Page scene={scene} theme={theme} />);
  await drawn(scene);
  state.problems.push(...problemsOf(scene));
  state.done = true;
}

/** One module of `src/panels` for each type of panel, under that name. */
async function registerPanels(panels: BoardPanel[]): Promise<void> {
  const all = panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  for (const type of new Set(all.map((panel) => panel.type))) {
    if (type !== 'row') {
      const module = await import(`./panels/${type}.tsx`).catch(() => {
        throw Error(`no picture of a panel of type ${type}: src/panels has no ${type}.tsx`);
      });
      sceneUtils.registerRuntimePanelPlugin({ pluginId: type, plugin: module.default });
    }
  }
}

async function settled(scene: BoardScene, variables: SceneVariableSet): Promise<void> {
  const deactivate = scene.activate();
  const stop = variables.activate();
  await until(() =>
    variables.state.variables.every((variable) => !variables.isVariableLoadingOrWaitingToUpdate(variable)),
  );
  stop();
  deactivate();
}

async function drawn(scene: BoardScene): Promise<void> {
  const panels = visiblePanels(scene);
  await until(() =>
    panels.every(
      (panel) => panel.isActive && (!panel.state.$data || isAnswered(panel.state.$data.state.data)),
    ),
  );
  const layers = sceneGraph.findAllObjects(
    scene,
    (one) => one instanceof dataLayers.AnnotationsDataLayer,
  ) as dataLayers.AnnotationsDataLayer[];
  await until(() => layers.every(({ state: { isEnabled, data } }) => !isEnabled || isAnswered(data)));
  // Plots are drawn a frame or two after their data is there.
  await new Promise((resolve) => setTimeout(resolve, 700));
}

const isAnswered = (data?: PanelData) =>
  data?.state === LoadingState.Done || data?.state === LoadingState.Error;

/** All panels but those of collapsed rows. */
const visiblePanels = (scene: BoardScene) =>
  sceneGraph.findAllObjects(scene, (one) => one instanceof VizPanel && !isFolded(one)) as VizPanel[];

const isFolded = ({ parent }: SceneObject): boolean =>
  Boolean(parent) &&
  ((parent instanceof SceneGridRow && Boolean(parent.state.isCollapsed)) || isFolded(parent!));

function problemsOf(scene: BoardScene): string[] {
  return visiblePanels(scene).flatMap((panel) => {
    const errors = sceneGraph.getData(panel).state.data?.errors?.map(({ message }) => message) ?? [];
    return [...errors, panel.state._pluginLoadError]
      .filter(Boolean)
      .map((problem) => `${panel.state.title}: ${problem}`);
  });
}

async function until(isTrue: () => boolean, seconds = 60): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!isTrue()) {
    if (performance.now() > end) {
      throw Error('the board does not come to rest');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const Page = ({ scene, theme }: { scene: BoardScene; theme: GrafanaTheme2 }) => (
  <MemoryRouter>
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <scene.Component model={scene} />
      <PortalContainer />
    </ThemeContext.Provider>
  </MemoryRouter>
);
