// SPDX-License-Identifier: Apache-2.0
// Filters, search, keys, copy buttons. The page is complete without it, and it never makes markup from text.
(() => {
  'use strict';
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add('js');

  const rows = all('.row').map((element) => ({
    element,
    outcome: element.dataset.outcome,
    clause: element.dataset.clause,
    text: element.textContent.toLowerCase(),
  }));
  const groups = all('.group');
  const buttons = all('[data-filter]');
  const cells = all('.cell[data-clause]');
  const search = byId('_search');
  const chosen = new Set();
  let clause = null;

  const visible = () => rows.filter((row) => !row.element.hidden);

  function apply() {
    const words = search ? search.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
    let shown = 0;
    for (const row of rows) {
      const match = (chosen.size === 0 || chosen.has(row.outcome)) &&
          (clause === null || row.clause === clause) && words.every((word) => row.text.includes(word));
      row.element.hidden = !match;
      if (match) shown += 1;
    }
    for (const group of groups) group.hidden = !group.querySelector('.row:not([hidden])');
    for (const button of buttons) {
      button.setAttribute('aria-pressed', String(chosen.has(button.dataset.filter)));
    }
    for (const cell of cells) {
      if (cell.dataset.clause === clause) cell.setAttribute('aria-current', 'true');
      else cell.removeAttribute('aria-current');
    }
    const filtered = chosen.size > 0 || clause !== null || words.length > 0;
    if (byId('_shown')) byId('_shown').textContent = filtered ? `${shown} of ${rows.length}` : '';
    if (byId('_clear')) byId('_clear').hidden = !filtered;
    byId('_nothing').hidden = shown > 0 || rows.length === 0;
  }

  function clear() {
    chosen.clear();
    clause = null;
    if (search) search.value = '';
    apply();
  }

  // #check-id opens its drawer, #requirement-id the area that holds it; filters never hide the target.
  function openTarget() {
    let id = location.hash.slice(1);
    try {
      id = decodeURIComponent(id);
    } catch {
      return;
    }
    const target = id && byId(id);
    if (!target) return;
    if (target.closest('[hidden]')) clear();
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === 'DETAILS') at.open = true;
    }
    target.scrollIntoView({block: 'start'});
  }

  // The current row is the one whose summary has the focus, else the first below the top of the window.
  function step(forward) {
    const list = visible().map((row) => row.element);
    const at = list.findIndex((row) => row.contains(document.activeElement));
    let next = at + (forward ? 1 : -1);
    if (at < 0) next = list.findIndex((row) => row.getBoundingClientRect().top > 90);
    const row = list[Math.max(0, Math.min(next, list.length - 1))];
    if (!row) return;
    row.firstElementChild.focus({preventScroll: true});
    row.scrollIntoView({block: 'nearest'});
  }

  function copy(button, text) {
    const done = (word) => {
      button.textContent = word;
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    };
    const byHand = () => {
      const area = document.createElement('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      done(document.execCommand('copy') ? 'Copied' : 'Failed');
      area.remove();
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => done('Copied'), byHand);
    else byHand();
  }

  for (const button of buttons) {
    button.addEventListener('click', () => {
      const outcome = button.dataset.filter;
      if (!chosen.delete(outcome)) chosen.add(outcome);
      apply();
    });
  }
  for (const cell of cells) {
    cell.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      clause = clause === cell.dataset.clause ? null : cell.dataset.clause;
      apply();
      if (clause !== null) byId('_results').scrollIntoView({block: 'start'});
    });
  }
  for (const pre of all('.copyable')) {
    const text = pre.textContent;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy';
    button.textContent = 'Copy';
    button.addEventListener('click', () => copy(button, text));
    pre.classList.add('has-copy');
    pre.append(button);
  }
  for (const row of rows) {
    row.element.addEventListener('toggle', () => {
      if (row.element.open && row.element.contains(document.activeElement)) {
        history.replaceState(null, '', '#' + encodeURIComponent(row.element.id));
      }
    });
  }
  if (search) search.addEventListener('input', apply);
  if (byId('_clear')) byId('_clear').addEventListener('click', clear);
  addEventListener('hashchange', openTarget);
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') {
      clear();
      if (document.activeElement === search) search.blur();
      return;
    }
    if (event.target.closest && event.target.closest('input, textarea')) return;
    if (event.key === '/' && search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === 'j' || event.key === 'k') {
      step(event.key === 'j');
    }
  });
  // On paper, drawers of what went wrong are open.
  let opened = [];
  addEventListener('beforeprint', () => {
    const wrong = ['fail', 'crash', 'hang', 'device-lost', 'harness-error', 'warn'];
    opened = all('.card details').concat(
        rows.filter((row) => wrong.includes(row.outcome)).map((row) => row.element));
    opened = opened.filter((element) => !element.open);
    for (const element of opened) element.open = true;
  });
  addEventListener('afterprint', () => {
    for (const element of opened) element.open = false;
  });
  apply();
  openTarget();
})();
