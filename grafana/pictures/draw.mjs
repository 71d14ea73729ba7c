// node draw.mjs < JOB: the pictures that a JSON document asks for, by way of Chromium. `__main__.py` writes it:
// {prometheus, chromium, parallel, pictures: [{file, width, scale, colors, browserZone, request}]}; `request` as in
// src/request.ts, `colors` null for all there are.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import puppeteer from 'puppeteer-core';
import UPNG from 'upng-js';
import { bundle } from './build.mjs';
import { serve } from './serve.mjs';

/** Until the page's own height is known. */
const HEIGHT = 600;
const TIMEOUT = 120_000;

const job = await json(process.stdin);
const folder = await mkdtemp(path.join(os.tmpdir(), 'pictures-'));
const missing = new Set();
let troubles = 0;
let browser;
let server;
try {
  await bundle(folder);
  const served = await serve(folder, job.prometheus, missing);
  server = served.server;
  browser = await puppeteer.launch({
    executablePath: job.chromium,
    userDataDir: path.join(folder, 'profile'),
    args: [
      // It shows this one page of ours; as root Chromium would not start with walls of its own.
      '--no-sandbox',
      '--disable-gpu',
      '--font-render-hinting=none',
      '--hide-scrollbars',
      '--disable-dev-shm-usage',
    ],
  });
  const waiting = [...job.pictures];
  const work = async () => {
    for (let picture; (picture = waiting.shift()); ) {
      await draw(picture, served.address);
    }
  };
  await Promise.all(Array.from({ length: job.parallel }, work));
} finally {
  await browser?.close();
  server?.close();
  await rm(folder, { recursive: true, force: true });
}
if (missing.size) {
  console.error(`not found: ${[...missing].join(' ')}`);
}
process.exitCode = troubles ? 1 : 0;

async function draw({ file, width, scale, colors, browserZone, request }, address) {
  const started = performance.now();
  // A window of its own: pages behind others are not painted.
  const context = await browser.createBrowserContext();
  try {
    const page = await context.newPage();
    const problems = [];
    page.on('pageerror', (error) => problems.push(error.stack ?? String(error)));
    await page.setViewport({ width, height: HEIGHT, deviceScaleFactor: scale });
    await page.emulateTimezone(browserZone);
    await page.setExtraHTTPHeaders({ 'accept-language': request.language });
    await page.evaluateOnNewDocument((given) => (window.pictureRequest = given), request);
    await page.goto(address);
    await page.waitForFunction(() => window.pictureState?.done, { timeout: TIMEOUT, polling: 100 });
    problems.push(...(await page.evaluate(() => window.pictureState.problems)));
    // The window gets the page's height: of a longer page Chromium shows moved boxes only where they are in the window.
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewport({ width, height, deviceScaleFactor: scale });
    await settled(page);
    const picture = await page.screenshot();
    await writeFile(file, colors ? inFewColors(picture, colors) : picture);
    console.log(`${file} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    for (const problem of problems) {
      console.error(`  ${problem}`);
    }
    troubles += problems.length;
  } catch (error) {
    console.error(`${file}: ${error.message}`);
    troubles += 1;
  } finally {
    await context.close();
  }
}

/** A PNG of a palette, with a third of the bytes. */
function inFewColors(png, colors) {
  const picture = UPNG.decode(png.buffer.slice(png.byteOffset, png.byteOffset + png.byteLength));
  return Buffer.from(UPNG.encode(UPNG.toRGBA8(picture), picture.width, picture.height, colors));
}

/** After a change of size: until what follows it is drawn. */
async function settled(page) {
  await page.evaluate(
    () =>
      new Promise((resolve) =>
        setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(resolve)), 300),
      ),
  );
}
