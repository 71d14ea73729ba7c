// Where panels come to lie: rows with what belongs to them, and a copy for each value of the variable that repeats one.
import type { BoardPanel } from './request';

export interface Choice {
  value: string;
  text: string;
}

/** The values of a variable that are chosen. */
export type Choices = (variable: string) => Choice[];

const COLUMNS = 24;
/** Ids of copies lie above those of any board. */
const COPIES = 100_000;

interface Section {
  row?: BoardPanel;
  panels: BoardPanel[];
}

/** The panels from top to bottom; every row holds its own in `panels`, also where the JSON has them behind it. */
export function layOut(panels: BoardPanel[], choices: Choices, unfold: boolean): BoardPanel[] {
  const placed: BoardPanel[] = [];
  let y = 0;
  for (const { row, panels: own } of sectionsOf(panels)) {
    if (!row) {
      const content = repeated(own, choices, y);
      placed.push(...content);
      y += heightOf(content);
      continue;
    }
    const collapsed = Boolean(row.collapsed) && !unfold;
    for (const [copy, scope] of scopesOf(row, choices).entries()) {
      const content = repeated(own, choices, y + 1).map((panel) =>
        scope ? { ...copyOf(panel, copy), scope: panel.scope ?? scope } : panel,
      );
      placed.push({
        ...copyOf(row, copy),
        scope,
        collapsed,
        panels: content,
        gridPos: { ...row.gridPos, y },
      });
      y += 1 + (collapsed ? 0 : heightOf(content));
    }
  }
  return placed;
}

function sectionsOf(panels: BoardPanel[]): Section[] {
  const sections: Section[] = [{ panels: [] }];
  for (const panel of panels) {
    if (panel.type === 'row') {
      sections.push({ row: panel, panels: [...(panel.panels ?? [])] });
    } else {
      sections.at(-1)!.panels.push(panel);
    }
  }
  return sections;
}

/** The panels with copies in place of those that repeat, their upper edge at y. */
function repeated(panels: BoardPanel[], choices: Choices, y: number): BoardPanel[] {
  const result: BoardPanel[] = [];
  let shift = y - Math.min(...panels.map(({ gridPos }) => gridPos.y));
  for (const panel of panels) {
    const at = { ...panel.gridPos, y: panel.gridPos.y + shift };
    if (!panel.repeat) {
      result.push({ ...panel, gridPos: at });
      continue;
    }
    const scopes = scopesOf(panel, choices);
    const isDown = panel.repeatDirection === 'v';
    const perRow = isDown ? 1 : Math.min(panel.maxPerRow ?? 4, Math.max(scopes.length, 1));
    const w = isDown ? at.w : COLUMNS / perRow;
    for (const [copy, scope] of scopes.entries()) {
      const x = isDown ? at.x : (copy % perRow) * w;
      result.push({
        ...copyOf(panel, copy),
        scope,
        gridPos: { x, y: at.y + Math.floor(copy / perRow) * at.h, w, h: at.h },
      });
    }
    shift += Math.max(Math.ceil(scopes.length / perRow) - 1, 0) * at.h;
  }
  return result;
}

const scopesOf = ({ repeat }: BoardPanel, choices: Choices): Array<BoardPanel['scope']> =>
  repeat ? choices(repeat).map(({ value, text }) => ({ name: repeat, value, text })) : [undefined];

const copyOf = (panel: BoardPanel, copy: number): BoardPanel => ({ ...panel, id: panel.id + copy * COPIES });

function heightOf(panels: BoardPanel[]): number {
  if (!panels.length) {
    return 0;
  }
  const top = Math.min(...panels.map(({ gridPos }) => gridPos.y));
  return Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) - top;
}
