import { type PanelData, type PanelProps } from '@grafana/data';

/** What a panel says that has nothing to draw. */
export function Nothing({ fieldConfig }: Pick<PanelProps, 'fieldConfig'>) {
  return (
    <div
      style={{
        display: 'flex',
        alignItems: 'center',
        justifyContent: 'center',
        height: '100%',
        textAlign: 'center',
      }}
    >
      {fieldConfig.defaults.noValue ?? 'No data'}
    </div>
  );
}

/** Whether no frame has any value. */
export const isEmpty = ({ series }: PanelData) =>
  !series.some(({ fields, length }) => fields.length && length);
