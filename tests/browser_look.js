// What a page looks like, for tests/browser.py: an object of plain values.
(() => {
  const channels = (text) => {
    const found = text.match(/[\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((channel, i) => channel * a + under[i] * (1 - a)).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((channel) => {
      const share = channel / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(channels(getComputedStyle(each).backgroundColor));
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reverse().reduce((under, layer) => over(layer, under), canvas);
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const where = (element) => `${element.tagName.toLowerCase()}.${element.className}: ${element.textContent.slice(0, 40)}`;

  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({ checkOpacity: true })) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    const under = background(element);
    const found = contrast(over(channels(style.color), under), under);
    if (found < (isLarge ? 3 : 4.5)) faint.push(`${found.toFixed(2)} ${where(element)}`);
  }
  for (const element of document.querySelectorAll(".spark stop, .bars .on")) {
    const style = getComputedStyle(element);
    const colour = element.tagName === "stop" ? style.stopColor : style.fill;
    const found = contrast(channels(colour), background(element.closest("article")));
    if (found < 3) faint.push(`${found.toFixed(2)} ${element.tagName}.${element.getAttribute("class")}`);
  }

  const viewport = document.documentElement.clientWidth;
  const sticking = [...document.body.querySelectorAll("*")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > viewport + 0.5 || box.left < -0.5);
  });
  const cards = [...document.querySelectorAll("article")].map((card) => card.getBoundingClientRect());
  const used = cards.length
    ? Math.max(...cards.map((box) => box.right)) - Math.min(...cards.map((box) => box.left)) : 0;
  return {
    title: document.title,
    width: document.documentElement.scrollWidth,
    viewport,
    sticking_out: sticking.map(where),
    faint,
    columns: new Set(cards.map((box) => Math.round(box.left))).size,
    used: used / viewport,
  };
})()
