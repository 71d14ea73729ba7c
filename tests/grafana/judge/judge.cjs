// node judge.cjs MODULES NAME: what Grafana's code of that name makes of panels and of the answers to their queries.
// Reads {now, zone, panels: [{panel, frames}]}, with frames as the Prometheus data source gives them.
'use strict';

const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');

const [, , modules, name] = process.argv;
const load = createRequire(`${modules}/`);
const { now, zone, panels } = JSON.parse(readFileSync(0, 'utf8'));

// Words such as "3 minutes ago" go by the clock.
Date.now = () => now;

// What the libraries have to say is no answer.
globalThis.console = new console.Console(process.stderr);

// What Grafana looks for in a browser. react-use must have seen before that this is none.
load('react-use');
globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] };
globalThis.localStorage ??= { getItem: () => null, setItem() {}, removeItem() {} };
globalThis.window = Object.assign(globalThis, { addEventListener() {} });

const grafana = load(name);
const { firstValueFrom } = load('rxjs');

// Grafana's application fills these registries, with editors that need a browser; the functions are all here.
const nothing = () => null;
const entry = (id, process, shouldApply = () => true) => {
  const edited = { settings: {}, editor: nothing, override: nothing };
  return { id, path: id, name: id, process, shouldApply, ...edited };
};
const isNumber = (field) => field.type === 'number';
grafana.standardEditorsRegistry.setInit(() => []);
grafana.standardFieldConfigEditorRegistry.setInit(() => [
  entry('displayName', grafana.displayNameOverrideProcessor),
  entry('unit', grafana.unitOverrideProcessor),
  ...['min', 'max', 'decimals'].map((id) => entry(id, grafana.numberOverrideProcessor, isNumber)),
  entry('color', grafana.identityOverrideProcessor),
  entry('noValue', grafana.stringOverrideProcessor),
  entry('links', grafana.dataLinksOverrideProcessor),
  entry('mappings', grafana.valueMappingsOverrideProcessor),
  entry('thresholds', grafana.thresholdsOverrideProcessor),
]);
const custom = ['align', 'cellOptions', 'width'].map((id) => entry(id, grafana.identityOverrideProcessor));
const useCustomConfig = (builder) => custom.forEach((one) => builder.addCustomEditor(one));
const fieldConfigRegistry = grafana.createFieldConfigRegistry({ useCustomConfig }, 'judge');
// Since 13 they are loaded when they are used.
const { version } = load(`${name}/package.json`);
const loaded = version < '13' ? (one) => one : (one) => async () => one;
// Some are there under two names.
const transformers = new Map(Object.values(grafana.standardTransformers).map((one) => [one.id, one]));
grafana.standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((one) => ({ ...one, transformation: loaded(one) })),
);

const theme = grafana.createTheme({ colors: { mode: 'dark' } });
const { asHexString } = grafana.colorManipulator;
const replaceVariables = (text) => text;

// As Grafana does when it loads a dashboard: JSON has no word for minus infinity.
function beginAtMinusInfinity(node) {
  if (Array.isArray(node?.steps)) node.steps[0].value = -Infinity;
  else if (node && typeof node === 'object') Object.values(node).forEach(beginAtMinusInfinity);
}

async function judge({ panel, frames }) {
  const { fieldConfig, transformations, options, type } = panel;
  beginAtMinusInfinity(fieldConfig);
  for (const { id } of transformations) grafana.standardTransformersRegistry.get(id); // throws where it is unknown
  const raw = frames.map((frame) => grafana.toDataFrame(frame));
  const context = { interpolate: replaceVariables };
  const series = await firstValueFrom(grafana.transformDataFrame(transformations, raw, context));
  const common = { fieldConfig, replaceVariables, theme, timeZone: zone };
  const data = grafana.applyFieldOverrides({ ...common, data: series, fieldConfigRegistry });
  // By the names that they had, for an override may give another.
  const fields = series.flatMap((frame) => frame.fields.map((field) => [field, frame, series]));
  const matched = ({ matcher: { id, options: wanted } }) => {
    const matches = grafana.fieldMatchers.get(id).get(wanted);
    return fields.some((one) => matches(...one));
  };
  const { reduceOptions, showPercentChange } = options;
  const reduced = { ...common, data, reduceOptions, percentChange: showPercentChange };
  return {
    frames: data.map((frame) => frame.fields.map((field) => shown(field, frame, data, type))),
    stats: options.reduceOptions ? grafana.getFieldDisplayValues(reduced).map(stat) : [],
    unmatched: fieldConfig.overrides.filter((one) => !matched(one)).map(({ matcher }) => matcher),
    histogram: type === 'histogram' ? histogram(data, options) : {},
  };
}

function shown(field, frame, data, type) {
  const values = displayed(field, type);
  const displays = values.map((value) => field.display(value));
  // A palette goes by the order of fields, and each version has its own.
  const coloured = !field.config.color?.mode?.startsWith('palette');
  return {
    title: grafana.getFieldDisplayName(field, frame, data),
    type: field.type,
    values,
    texts: displays.map(grafana.formattedValueToString),
    colors: coloured ? displays.map(({ color }) => color && asHexString(color)) : [],
  };
}

// Points of a curve have no text, but its legend has that of the last; states that go on are written once.
function displayed(field, type) {
  const values = [...field.values];
  if (type === 'table' || type === 'barchart') return values;
  if (field.type === 'time') return [];
  if (type === 'state-timeline') return values.filter((value, index) => value !== values[index - 1]);
  return values.filter((value) => value !== null).slice(-1);
}

function stat({ display }) {
  const text = grafana.formattedValueToString(display);
  const { title = '', color, percentChange } = display;
  // A ratio in 10, percents since.
  const ratio = percentChange / (version < '11' ? 1 : 100);
  const change = Number.isFinite(ratio) ? Number(ratio.toFixed(9)) : null;
  return { title, text, color: asHexString(color), change };
}

function histogram(data, options) {
  const built = grafana.buildHistogram(data, options, theme);
  const fields = built ? grafana.histogramFieldsToFrame(built, theme).fields : [];
  // The limits of the buckets, and the counts of each series, whose names may be the same.
  const named = fields.map((field, index) => (index < 2 ? field.name : `${field.name} ${index - 1}`));
  return Object.fromEntries(fields.map((field, index) => [named[index], [...field.values]]));
}

(async () => {
  const verdicts = [];
  for (const one of panels) verdicts.push(await judge(one));
  process.stdout.write(JSON.stringify(verdicts));
})();
