// What Grafana's application does for its packages before they can draw: registries, services, translations.
import * as data from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import * as runtime from '@grafana/runtime';
import { loadResources, sceneGraph } from '@grafana/scenes';
import { Observable, catchError, map, of } from 'rxjs';
import { standardFieldOptions } from './fieldOptions';
import { PrometheusSource } from './prometheus';

/** Starts them all; the theme of the page. */
export async function startServices(mode: 'dark' | 'light'): Promise<data.GrafanaTheme2> {
  data.standardEditorsRegistry.setInit(() => []);
  data.standardFieldConfigEditorRegistry.setInit(standardFieldOptions);
  data.standardTransformersRegistry.setInit(transformers);

  const theme = data.createTheme({ colors: { mode } });
  Object.assign(runtime.config, { theme2: theme, theme: theme.v1 });
  data.setTimeZoneResolver(() => 'browser');

  const [settings] = Object.values(runtime.config.datasources);
  const source = new PrometheusSource(settings);
  runtime.setDataSourceSrv({
    get: async () => source as unknown as data.DataSourceApi,
    getList: () => [settings],
    getInstanceSettings: () => settings,
    reload: async () => {},
    registerRuntimeDataSource: () => {},
  });
  runtime.setTemplateSrv({
    replace: (text = '', scoped, format) => {
      const object = scoped?.__sceneObject?.value.valueOf();
      return object ? sceneGraph.interpolate(object, text, scoped, format as never) : text;
    },
    getVariables: () => [],
    containsTemplate: (text = '') => text.includes('$'),
    updateTimeRange: () => {},
  });
  runtime.setRunRequest(runRequest);
  runtime.setAppEvents(new data.EventBusSrv());
  runtime.setPluginImportUtils({
    importPanelPlugin: async (id) => Promise.reject(Error(`src/panels has no ${id}`)),
    getPanelPluginFromCache: () => undefined,
  });
  await initPluginTranslations('grafana-scenes', [loadResources]);
  return theme;
}

const transformers = (): data.TransformerRegistryItem[] =>
  [...new Map(Object.values(data.standardTransformers).map((one) => [one.id, one])).values()].map((one) => ({
    id: one.id,
    name: one.name,
    description: one.description,
    transformation: async () => one as data.DataTransformerInfo,
    editor: () => null,
    imageDark: '',
    imageLight: '',
  }));

// First "loading", then what the data source answers; marks apart from series.
const runRequest: Parameters<typeof runtime.setRunRequest>[0] = (source, request, query) =>
  new Observable((observer) => {
    const empty: data.PanelData = {
      state: data.LoadingState.Loading,
      series: [],
      annotations: [],
      timeRange: request.range,
      request,
    };
    observer.next(empty);
    const answers = query ? query(request) : source.query(request);
    return ('subscribe' in answers ? answers : new Observable<data.DataQueryResponse>())
      .pipe(
        map(({ state, data: frames, errors }): data.PanelData => {
          const isMark = (frame: data.DataFrame) => frame.meta?.dataTopic === data.DataTopic.Annotations;
          return {
            ...empty,
            state: errors?.length ? data.LoadingState.Error : (state ?? data.LoadingState.Done),
            errors,
            series: frames.filter((frame) => !isMark(frame)),
            annotations: frames.filter(isMark),
          };
        }),
        catchError((error) =>
          of({ ...empty, state: data.LoadingState.Error, errors: [runtime.toDataQueryError(error)] }),
        ),
      )
      .subscribe(observer);
  });
