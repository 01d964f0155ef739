'use strict';
(() => {
  const root = document.documentElement;
  const find = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => Array.from(from.querySelectorAll(query));
  const make = (tag, text = '', name = '') => {
    const node = document.createElement(tag);
    node.textContent = text;
    node.className = name;
    return node;
  };
  const parse = (id) => JSON.parse(find(id).textContent);
  root.classList.add('js');

  // Colours: the system's until the reader chooses.
  const system = matchMedia('(prefers-color-scheme: dark)');
  const saved = () => {
    try { return localStorage.getItem('mmppc-theme'); } catch { return null; }
  };
  let chosen = saved();
  const paint = () => { root.dataset.theme = chosen || (system.matches ? 'dark' : 'light'); };
  paint();
  system.addEventListener('change', paint);
  find('#theme').addEventListener('click', () => {
    chosen = root.dataset.theme === 'dark' ? 'light' : 'dark';
    try { localStorage.setItem('mmppc-theme', chosen); } catch { /* a page from a file may have no storage */ }
    paint();
  });

  // What is under the pointer.
  const tip = find('#tip');
  const tell = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 6))}px`;
    tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
  };
  const hush = () => { tip.hidden = true; };
  addEventListener('scroll', hush, { passive: true });

  // Line plots: values at the nearest point, by pointer or arrow keys.
  for (const plot of all('.plot')) {
    const data = JSON.parse(plot.dataset.points);
    const [low, high] = data.x;
    const area = find('.area', plot);
    const xs = [...new Set(data.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    if (!xs.length) continue;
    const hair = make('div', '', 'hair');
    hair.hidden = true;
    area.append(hair);
    let place = xs.length - 1;
    const show = (index) => {
      place = Math.max(0, Math.min(xs.length - 1, index));
      const x = xs[place];
      const lines = [`${data.name} ${x.toLocaleString('en')}`];
      for (const line of data.lines) {
        const at = line.x.indexOf(x);
        if (at < 0) continue;
        const value = line.y[at];
        lines.push(`${line.label}: ${value === null ? 'no number' : `${value} ${data.unit}`.trim()}`);
      }
      const share = (x - low) / (high - low);
      hair.hidden = false;
      hair.style.left = `${100 * share}%`;
      const box = area.getBoundingClientRect();
      tell(lines.join('\n'), box.left + share * box.width, box.top + box.height / 2);
    };
    const leave = () => { hair.hidden = true; hush(); };
    plot.addEventListener('pointermove', (event) => {
      const box = area.getBoundingClientRect();
      const x = low + ((event.clientX - box.left) / box.width) * (high - low);
      let best = 0;
      for (let i = 1; i < xs.length; i += 1) if (Math.abs(xs[i] - x) < Math.abs(xs[best] - x)) best = i;
      show(best);
    });
    plot.addEventListener('pointerleave', leave);
    plot.addEventListener('blur', leave);
    plot.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (step) { event.preventDefault(); show(hair.hidden ? place : place + step); }
      if (event.key === 'Escape') leave();
    });
  }
  const toggle = (query, name, on) => {
    const box = find(query);
    if (!box) return;
    const apply = () => find('#training').classList.toggle(name, box.checked === on);
    box.addEventListener('change', apply);
    apply();
  };
  toggle('#log', 'logarithmic', true);
  toggle('#smooth', 'unsmoothed', false);

  // Classes: in the data's order, or the lowest first.
  const sort = find('#sort');
  if (sort) {
    sort.addEventListener('change', () => {
      const key = sort.checked ? 'rank' : 'place';
      const rows = all('.class-row').sort((a, b) => a.dataset[key] - b.dataset[key]);
      find('#class-rows').append(...rows);
    });
  }

  // Confusion matrices.
  const matrices = all('.confusion');
  const radios = all('input[name="matrix"]');
  const choose = () => {
    const on = radios.findIndex((radio) => radio.checked);
    matrices.forEach((matrix, index) => { matrix.hidden = radios.length > 0 && index !== on; });
  };
  radios.forEach((radio) => radio.addEventListener('change', choose));
  choose();
  for (const matrix of matrices) {
    const { cell, classes, counts } = JSON.parse(matrix.dataset.matrix);
    const sums = counts.map((row) => row.reduce((a, b) => a + b, 0));
    const chart = find('.matrix', matrix);
    const cursor = find('.cursor', matrix);
    const readout = find('.readout', matrix);
    let at = [0, 0];
    const show = (row, column, x, y) => {
      at = [Math.max(0, Math.min(counts.length - 1, row)), Math.max(0, Math.min(counts.length - 1, column))];
      const [i, j] = at;
      const share = sums[i] ? (100 * counts[i][j]) / sums[i] : 0;
      const text = `${classes[i]} taken for ${classes[j]}: ${share.toFixed(share < 1 ? 2 : 1)} %, `
        + `${counts[i][j].toLocaleString('en')} of ${sums[i].toLocaleString('en')} pixels`;
      cursor.setAttribute('x', j * cell);
      cursor.setAttribute('y', i * cell);
      cursor.setAttribute('visibility', 'visible');
      readout.textContent = text;
      if (x === undefined) hush(); else tell(text, x, y);
    };
    const leave = () => { cursor.setAttribute('visibility', 'hidden'); hush(); };
    chart.addEventListener('pointermove', (event) => {
      const box = chart.getBoundingClientRect();
      const size = box.width / counts.length;
      show(Math.floor((event.clientY - box.top) / size), Math.floor((event.clientX - box.left) / size),
        event.clientX, event.clientY);
    });
    chart.addEventListener('pointerleave', leave);
    chart.addEventListener('blur', leave);
    chart.addEventListener('focus', () => { if (chart.matches(':focus-visible')) show(...at); });
    chart.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (step) { event.preventDefault(); show(at[0] + step[0], at[1] + step[1]); }
    });
  }

  // Pictures.
  const form = find('#filters');
  if (!form) return;
  const names = parse('#class-data');
  const { overview, cards, groups } = parse('#gallery-data');
  const list = find('#cards');
  const nodes = cards.map((_, index) => find(`#card-${index}`));
  const status = find('#status');
  const field = (name) => form.elements[name];
  const option = (name) => (field(name) ? field(name).value : '');
  const plural = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
  const titles = { worst: 'Worst', median: 'Around the median', best: 'Best' };

  const valueOf = (card, column, label) => {
    const found = card.iou[column];
    if (!found) return null;
    if (label === '') return found[0];
    return found[1][label] ?? 0;
  };
  // A split has its own columns: the last of them unless the reader's choice is there too.
  const fitColumns = (split) => {
    if (!field('column')) return '';
    const here = new Set(groups.filter((item) => item.split === split).map((item) => item.column));
    const options = [...field('column').options];
    options.forEach((item) => { item.hidden = !here.has(item.value); item.disabled = item.hidden; });
    for (const name of ['show', 'column']) field(name).disabled = here.size === 0;
    const wanted = options.find((item) => item.value === wish && here.has(wish));
    const last = wanted || options.filter((item) => here.has(item.value)).pop();
    if (last) last.selected = true;
    return last ? last.value : '';
  };
  let wish = '';
  const update = () => {
    const split = option('split');
    const label = option('label');
    const column = fitColumns(split);
    const group = groups.find((item) => item.split === split && item.column === column
      && (label === '' ? item.label === null : item.label === Number(label)));
    const ranked = groups.some((item) => item.split === split);
    const noun = label === '' ? '' : ` that show ${names[label][0]}`;
    const what = label === '' ? '' : ` of ${names[label][0]}`;
    const title = field('column') ? field('column').selectedOptions[0]?.textContent : '';
    nodes.forEach((node) => { node.hidden = true; });
    all('.kind', list).forEach((node) => node.remove());
    const put = (keys) => keys.forEach((key) => {
      const value = valueOf(cards[key], column, label);
      find('.rank', nodes[key]).textContent = value === null ? '' : `${title}: IoU${what} ${value.toFixed(1)}`;
      nodes[key].hidden = false;
      list.append(nodes[key]);
    });
    const fits = cards.map((_, key) => key).filter((key) => cards[key].split === split
      && (label === '' || cards[key].classes.includes(Number(label))));
    if (ranked && option('show') !== 'all') {
      const kinds = option('show') === 'overview' ? ['worst', 'median', 'best'] : [option('show')];
      let count = 0;
      for (const kind of kinds) {
        let keys = group ? group[kind] : [];
        if (kinds.length > 1) {
          const start = kind === 'median' ? Math.max(0, Math.floor((keys.length - overview) / 2)) : 0;
          keys = keys.slice(start, start + overview);
        }
        if (keys.length) list.append(make('h3', titles[kind], 'kind'));
        put(keys);
        count += keys.length;
      }
      status.textContent = group
        ? `${plural(count, 'picture')} of ${group.total.toLocaleString('en')} of ${split}${noun}, by the IoU${what} of the ${title}`
        : `No picture of ${split}${noun}`;
      return;
    }
    const order = (a, b) => (ranked ? (valueOf(cards[a], column, label) ?? 101) - (valueOf(cards[b], column, label) ?? 101) : 0)
      || (cards[a].name < cards[b].name ? -1 : 1);
    put(fits.sort(order));
    const how = ranked ? `the lowest IoU${what} of the ${title} first` : 'sorted by name';
    status.textContent = `${plural(fits.length, 'picture')} of ${split}${noun} in this page, ${how}`;
  };
  const opacity = (value) => root.style.setProperty('--opacity', value / 100);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('change', (event) => {
    if (event.target.name === 'column') wish = event.target.value;
    if (event.target.name !== 'opacity') update();
  });
  field('opacity').addEventListener('input', () => {
    opacity(field('opacity').value);
    find('#large-opacity').value = field('opacity').value;
  });

  // Enlarged: arrow keys go through the cells that are shown, Escape closes.
  const large = find('#large');
  let current = null;
  const visible = () => all('.card:not([hidden]) .cell', list);
  const enlarge = (cell) => {
    current = cell;
    const card = cell.closest('.card');
    const pixels = find('.pixels', large);
    for (const name of ['--photo', '--ratio']) pixels.style.setProperty(name, card.style.getPropertyValue(name));
    pixels.style.setProperty('--layer', cell.style.getPropertyValue('--layer') || 'none');
    const [width, height] = card.style.getPropertyValue('--ratio').split('/').map(Number);
    large.style.setProperty('--wide', width / height);
    find('#large-title').textContent = cell.getAttribute('aria-label').replace(/: enlarge$/, '');
    find('#large-classes').replaceChildren(...cell.dataset.classes.split(' ').filter(Boolean).map((label) => {
      const item = make('li', names[label][0]);
      const chip = make('i', '', 'chip');
      chip.style.background = names[label][1];
      if (!cell.classList.contains('heat')) item.prepend(chip);
      return item;
    }));
    if (!large.open) large.showModal();
  };
  const move = (step) => {
    const cells = visible();
    const next = cells[cells.indexOf(current) + step];
    if (next) enlarge(next);
  };
  list.addEventListener('click', (event) => {
    const cell = event.target.closest('.cell');
    if (cell) enlarge(cell);
  });
  find('#large-close').addEventListener('click', () => large.close());
  find('#large-before').addEventListener('click', () => move(-1));
  find('#large-after').addEventListener('click', () => move(1));
  find('#large-opacity').addEventListener('input', (event) => {
    opacity(event.target.value);
    field('opacity').value = event.target.value;
  });
  large.addEventListener('click', (event) => { if (event.target === large) large.close(); });
  large.addEventListener('keydown', (event) => {
    if (event.target.matches('input')) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { event.preventDefault(); move(step); }
  });
  large.addEventListener('close', () => { if (current) current.focus(); });
  update();
})();
