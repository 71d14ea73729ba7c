/** What one picture shows. The page finds it as `window.pictureRequest`, put there by the browser's driver. */
export interface PictureRequest {
  /** The dashboard as it would be imported. */
  board: Board;
  theme: 'dark' | 'light';
  /** Language of Grafana itself, such as `de-DE`. */
  language: string;
  /** Unix time in ms that the page takes for now, or null for the real one. */
  now: number | null;
  /** Time range in place of the board's own: `now-7d`, or ISO 8601. */
  from?: string;
  to?: string;
  /** As set in the data source: `15s`. */
  scrapeInterval: string;
  /** Values of variables in place of the first ones. */
  variables: Record<string, string[]>;
  /** Whether to draw what collapsed rows hold. */
  unfold: boolean;
  /** Whether to draw the marks that are off at first. */
  marks: boolean;
}

/** What the page says of itself: the driver takes the picture when it is `done`. */
export interface PictureState {
  done: boolean;
  problems: string[];
}

// A dashboard's JSON is what people import. Only what the page reads is named here.
export interface Board {
  title: string;
  time: { from: string; to: string };
  timezone?: string;
  weekStart?: string;
  fiscalYearStartMonth?: number;
  graphTooltip?: number;
  refresh?: string;
  links?: BoardLink[];
  templating: { list: BoardVariable[] };
  annotations: { list: BoardAnnotation[] };
  panels: BoardPanel[];
}

export interface BoardLink {
  title: string;
  icon?: string;
  type?: string;
  asDropdown?: boolean;
}

export interface BoardVariable {
  name: string;
  type: string;
  label?: string;
  description?: string;
  hide?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string;
  query?: any;
  regex?: string;
  sort?: number;
  refresh?: number;
  definition?: string;
  datasource?: any;
  auto?: boolean;
  auto_min?: string;
  auto_count?: number;
  current?: { value?: any; text?: any };
}

export interface BoardAnnotation {
  name: string;
  enable: boolean;
  hide?: boolean;
  [key: string]: any;
}

export interface BoardPanel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  transparent?: boolean;
  collapsed?: boolean;
  panels?: BoardPanel[];
  repeat?: string;
  repeatDirection?: 'h' | 'v';
  maxPerRow?: number;
  /** What a repeated panel or row shows of its variable; set by `repeats.ts`, not in the JSON. */
  scope?: { name: string; value: string; text: string };
  datasource?: any;
  targets?: any[];
  interval?: string;
  maxDataPoints?: number;
  timeFrom?: string | null;
  timeShift?: string | null;
  hideTimeOverride?: boolean;
  transformations?: any[];
  options?: any;
  fieldConfig?: any;
  pluginVersion?: string;
}

declare global {
  interface Window {
    pictureRequest: PictureRequest;
    pictureState: PictureState;
    grafanaBootData: any;
  }
}
