// A server for the page: its scripts, Grafana's icons and fonts, and Prometheus below /prometheus.
import { createReadStream, existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const here = import.meta.dirname;
const packages = path.join(here, 'node_modules');
const icons = path.join(packages, '@grafana/ui/dist/public/img/icons');

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** Fonts by the names under which Grafana's styles ask for them. */
const FONTS = [
  [/^inter\/.*Medium/, 'inter/files/inter-latin-500-normal.woff2'],
  [/^inter\/.*Italic/, 'inter/files/inter-latin-400-italic.woff2'],
  [/^inter\//, 'inter/files/inter-latin-400-normal.woff2'],
  [/^roboto\//, 'roboto-mono/files/roboto-mono-latin-400-normal.woff2'],
];

/** Icons that a Grafana server has and the package has not, with those that come next to them. */
const ICONS = { 'sync-slash.svg': 'sync.svg' };

/** The file of a path; undefined where there is none. */
function fileOf(url, scripts) {
  const roots = [
    [
      '/public/fonts/',
      (rest) => path.join(packages, '@fontsource', FONTS.find(([name]) => name.test(rest))?.[1] ?? rest),
    ],
    [
      '/public/build/img/icons/unicons/angle-double-left.svg',
      () => path.join(here, 'src/angle-double-left.svg'),
    ],
    ['/public/build/img/icons/unicons/', (rest) => path.join(icons, 'unicons', ICONS[rest] ?? rest)],
    ['/public/build/img/icons/', (rest) => path.join(icons, rest)],
    ['/fonts/', (rest) => path.join(packages, '@fontsource', rest)],
    ['/', (rest) => (rest ? path.join(scripts, rest) : path.join(here, 'src/index.html'))],
  ];
  const [root, locate] = roots.find(([prefix]) => url.startsWith(prefix));
  const file = locate(url.slice(root.length));
  return file && existsSync(file) ? file : undefined;
}

/** Serves on a free port of this host; the server and its address. `missing` gathers what it has not. */
export async function serve(scripts, prometheus, missing) {
  const server = http.createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url, 'http://localhost');
    try {
      if (pathname.startsWith('/prometheus/')) {
        return await pass(request, response, prometheus + pathname.slice('/prometheus'.length) + search);
      }
      const file = fileOf(pathname, scripts);
      if (!file) {
        missing.add(pathname);
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
      await pipeline(createReadStream(file), response);
    } catch (error) {
      response.destroy(error);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, address: `http://127.0.0.1:${server.address().port}/` };
}

async function pass(request, response, url) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const options =
    request.method === 'POST'
      ? {
          method: 'POST',
          body: Buffer.concat(chunks),
          headers: { 'content-type': request.headers['content-type'] },
        }
      : {};
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    response
      .writeHead(502, { 'content-type': 'application/json' })
      .end(JSON.stringify({ status: 'error', error: `${url}: ${error.cause ?? error}` }));
    return;
  }
  const text = await answer.text();
  // Something else than Prometheus answers with something else than JSON.
  const isJson = answer.headers.get('content-type')?.includes('json');
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    isJson
      ? text
      : JSON.stringify({
          status: 'error',
          error: `${url} answers ${answer.status}, not as a Prometheus does`,
        }),
  );
}
