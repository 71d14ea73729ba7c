import {
  type DataFrame,
  type DisplayValue,
  type Field,
  FieldType,
  type GrafanaTheme2,
  formattedValueToString,
  getDisplayProcessor,
  getFieldColorModeForField,
  getFieldSeriesColor,
} from '@grafana/data';

/** A value with its unit, as Grafana would write it. */
export const textOf = (shown: DisplayValue): string => formattedValueToString(shown);

/** The value of a field in words and colour. */
export function shownBy(field: Field, value: unknown, theme: GrafanaTheme2): DisplayValue {
  return (field.display ?? getDisplayProcessor({ field, theme }))(value);
}

/** The colour of one value: of its series, or its own where thresholds or a scale decide. */
export function colorOf(field: Field, value: number, theme: GrafanaTheme2): string {
  const isByValue = getFieldColorModeForField(field).isByValue;
  return (isByValue && shownBy(field, value, theme).color) || getFieldSeriesColor(field, theme).color;
}

/** Frames with times and numbers alone, and null for what cannot be drawn; none where there are no such. */
export function curves(frames: DataFrame[]): DataFrame[] {
  return frames
    .filter(({ fields }) => fields.some(isTime) && fields.some(isNumber))
    .map((frame) => ({
      ...frame,
      fields: frame.fields.map((field) =>
        isNumber(field) ? { ...field, values: field.values.map(finite) } : field,
      ),
    }));
}

export const isNumber = ({ type }: Field) => type === FieldType.number;
export const isTime = ({ type }: Field) => type === FieldType.time;
const finite = (value: unknown) => (Number.isFinite(value) ? value : null);
