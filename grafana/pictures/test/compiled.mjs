// The page's modules as node can import them.
import { build } from 'esbuild';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';

const here = import.meta.dirname;

/** The exports of a module of `src`. */
export async function compiled(name) {
  // Below this folder, so that its imports find the packages.
  const folder = await mkdtemp(path.join(here, '../node_modules/.compiled-'));
  const outfile = path.join(folder, `${name}.cjs`);
  await build({
    entryPoints: [path.join(here, '../src', `${name}.ts`)],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'cjs',
  });
  const module = await import(outfile);
  await rm(folder, { recursive: true });
  return module.default;
}
