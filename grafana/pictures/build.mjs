// Makes one script of the page and of all it needs from Grafana's packages.
import { build } from 'esbuild';

// Editors and maps are in no picture; what only they need is left out.
const UNSEEN = /^(@grafana\/assistant|monaco-editor|react-monaco-editor|@monaco-editor\/react|ol)(\/.*)?$/;

const withoutUnseen = {
  name: 'without-unseen',
  setup(builder) {
    builder.onResolve({ filter: UNSEEN }, ({ path }) => ({ path, namespace: 'unseen' }));
    builder.onLoad({ filter: /.*/, namespace: 'unseen' }, () => ({
      contents:
        'module.exports = new Proxy(() => null, { get: (nothing, key) => (key === "__esModule" ? false : key === "default" ? nothing : () => null) })',
    }));
  },
};

/** Writes `boot.js` and `page.js` into the folder. */
export const bundle = (folder) =>
  build({
    absWorkingDir: import.meta.dirname,
    entryPoints: { boot: 'src/boot.ts', page: 'src/page.tsx' },
    outdir: folder,
    bundle: true,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    logLevel: 'error',
    plugins: [withoutUnseen],
    mainFields: ['browser', 'module', 'main'],
    define: {
      'process.env.NODE_ENV': '"production"',
      'process.env': '{}',
      global: 'window',
      'import.meta.url': '"http://localhost/"',
    },
    loader: {
      '.svg': 'dataurl',
      '.woff2': 'dataurl',
      '.ttf': 'dataurl',
      '.png': 'dataurl',
      '.wasm': 'dataurl',
    },
  });
