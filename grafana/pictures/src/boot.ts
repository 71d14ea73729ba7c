// Runs before anything of Grafana: what a server writes into its page.
import type { DataSourceInstanceSettings } from '@grafana/data';

const { theme, language, scrapeInterval } = window.pictureRequest;

const prometheus = {
  id: 1,
  uid: 'prometheus',
  name: 'Prometheus',
  type: 'prometheus',
  access: 'proxy',
  isDefault: true,
  readOnly: false,
  jsonData: { timeInterval: scrapeInterval },
  meta: {
    id: 'prometheus',
    name: 'Prometheus',
    type: 'datasource',
    module: '',
    baseUrl: '',
    metrics: true,
    annotations: true,
    info: { logos: { small: '', large: '' } },
  },
} as unknown as DataSourceInstanceSettings;

window.grafanaBootData = {
  user: {
    timezone: 'browser',
    weekStart: '',
    locale: language,
    language,
    regionalFormat: language,
    permissions: {},
    isSignedIn: true,
    lightTheme: theme === 'light',
  },
  navTree: [],
  assets: { light: '', dark: '' },
  settings: {
    buildInfo: { version: '', env: 'production', edition: 'OSS', commit: '' },
    datasources: { Prometheus: prometheus },
    defaultDatasource: 'Prometheus',
    featureToggles: {},
    panels: {},
    apps: {},
    appSubUrl: '',
    appUrl: '',
    licenseInfo: {},
    unifiedAlerting: { minInterval: '10s' },
    namespace: 'default',
  },
};
(window as any).__grafana_public_path__ = '/public/';
