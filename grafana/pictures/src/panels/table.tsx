import { type PanelProps, cacheFieldDisplayNames } from '@grafana/data';
import { TableNG } from '@grafana/ui/unstable';
import { useMemo } from 'react';
import { plugin } from '../fieldOptions';
import { Nothing, isEmpty } from '../plot/Nothing';

const options = { frameIndex: 0, showHeader: true, cellHeight: 'sm', enablePagination: false };

const custom = {
  width: null,
  minWidth: 50,
  align: 'auto',
  cellOptions: { type: 'auto' },
  inspect: false,
  filterable: null,
  hideFrom: null,
  hidden: null,
  footer: null,
  wrapText: null,
  wrapHeaderText: null,
};

function Table({ data, width, height, options: o, fieldConfig, timeRange }: PanelProps) {
  // Without it columns would not have the names that transformations gave them.
  useMemo(() => cacheFieldDisplayNames(data.series), [data.series]);
  const frame = data.series[o.frameIndex] ?? data.series[0];
  if (isEmpty(data) || !frame) {
    return <Nothing fieldConfig={fieldConfig} />;
  }
  return (
    <TableNG
      data={frame}
      width={width}
      height={height}
      noHeader={!o.showHeader}
      cellHeight={o.cellHeight}
      sortBy={o.sortBy}
      frozenColumns={o.frozenColumns?.left}
      enablePagination={o.enablePagination}
      fieldConfig={fieldConfig}
      timeRange={timeRange}
      structureRev={data.structureRev}
      enableVirtualization={false}
      getActions={() => []}
      resizable
    />
  );
}

export default plugin(Table, { options, custom });
