"use strict";
// One script for both pages: the file that holds everything it shows, and the one of a running service.
// Text of catalogues only ever becomes text nodes.
(() => {
  const $ = (id) => document.getElementById(id);
  const given = JSON.parse($("data").textContent);
  const COLOURS = { network: "network", words: "words", counts: "counts", prior: "prior" };
  const NAMES = { scale: "scale of the list", likeness: "like items above", prior: "prior of the request" };
  const known = new Map(); // item id -> {title, fields}
  const state = { person: null, view: "people", open: false, asked: 0, tree: { catalogue: 0, prefix: [] } };
  let start;

  // ---- small helpers -------------------------------------------------------------------------------------------
  function make(tag, options = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (value === undefined || value === null || value === false) continue;
      if (name === "text") node.textContent = value;
      else if (name === "class") node.className = value;
      else if (name === "click") node.addEventListener("click", value);
      else if (name === "vars") for (const [key, to] of Object.entries(value)) node.style.setProperty(key, to);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const fill = (node, ...children) => node.replaceChildren(...children.filter((child) => child));
  const number = (value, digits = 2) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
  const amount = (value) => value.toLocaleString("en");
  const plural = (n, word) => `${amount(n)} ${word}${n === 1 ? "" : "s"}`;
  const letter = (level) => (level >= 26 ? letter(Math.floor(level / 26) - 1) : "") + String.fromCharCode(97 + (level % 26));
  const codeName = (level, code) => `${letter(level)}_${code}`;
  const titleOf = (id) => known.get(id)?.title || id;
  const hueOf = (level, code, sizes) => Math.round((360 * (code + 0.5)) / Math.max(1, sizes[level] || 1) + 37 * level) % 360;
  const shown = (value) =>
    Array.isArray(value) ? value.map(shown).join(", ")
      : typeof value === "number" ? (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))) : String(value);

  function say(text, isError = false) {
    $("status").textContent = text;
    $("status").classList.toggle("error", isError);
  }

  // ---- where answers come from ----------------------------------------------------------------------------------
  const embedded = {
    async start() {
      for (const [id, card] of Object.entries(given.items)) known.set(id, card);
      return given;
    },
    async person(user) {
      return given.users.find((one) => one.user === user) || null;
    },
    async random() {
      const others = given.users.filter((one) => one !== state.person);
      return others[Math.floor(Math.random() * others.length)] || given.users[0] || null;
    },
    async answers(person) {
      return person.answers;
    },
    async find(query) {
      const words = query.toLowerCase().split(/\s+/).filter(Boolean);
      const found = [];
      for (const [id, card] of known) {
        const text = `${id} ${card.title}`.toLowerCase();
        if (words.every((word) => text.includes(word))) found.push(id);
        if (found.length === 20) break;
      }
      return found;
    },
    async prefix(catalogue, prefix) {
      const { codes, totals, n_items } = given.catalogues[catalogue];
      const below = Object.entries(codes).filter(([, own]) => prefix.every((code, level) => own[level] === code));
      const children = new Map();
      for (const [id, own] of below) {
        const code = own[prefix.length];
        if (!children.has(code)) children.set(code, { code, items: 0, example: titleOf(id) });
        children.get(code).items += 1;
      }
      const key = (path) => path.join("/");
      for (const child of totals ? children.values() : []) child.items = totals[key([...prefix, child.code])] || child.items;
      const total = prefix.length === 0 ? n_items : (totals && totals[key(prefix)]) || below.length;
      const items = below.sort(([, a], [, b]) => compare(a, b)).slice(0, 60).map(([id, own]) => ({ item_id: id, semantic_id: own }));
      return { total, here: below.length, children: [...children.values()].sort((a, b) => a.code - b.code), items };
    },
  };
  const compare = (a, b) => { const n = a.findIndex((code, i) => code !== b[i]); return n < 0 ? 0 : a[n] - b[n]; };

  async function ask(path, body) {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Error("The service does not answer.");
    }
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const faults = Array.isArray(content.detail) ? content.detail.map((fault) => fault.msg).join(" ") : "";
      throw new Error(faults || `The service answered ${answer.status}.`);
    }
    return content;
  }
  const remember = (cards) => cards.map((card) => {
    known.set(card.item_id, { title: card.title, fields: card.fields || known.get(card.item_id)?.fields || {} });
    return card.item_id;
  });
  const personOf = (found) => ({ user: found.user, history: remember(found.history), items: found.items, next: [] });
  const SEARCHES = ["beams", "groups", "max_per_prefix", "mmr", "where"];
  const live = {
    start: () => ask("page/start"),
    async person(user) {
      return personOf(await ask(`page/person?user=${encodeURIComponent(user)}`));
    },
    random: async () => personOf(await ask("page/person")),
    async answers(person, wishes) {
      return Promise.all(start.models.map(async (model) => {
        const began = performance.now();
        const allowed = Object.entries(wishes).filter(([name]) => !model.baseline || !SEARCHES.includes(name));
        const whose = person.user ? { user: person.user } : { history: person.history };
        const found = await ask("recommend", { ...Object.fromEntries(allowed), ...whose, model: model.name, explain: true, fields: true });
        remember(found.items);
        const left = Object.keys(wishes).filter((name) => model.baseline && SEARCHES.includes(name));
        const notes = [...found.notes, ...(left.length ? [`A baseline has no ${left.join(", ")}.`] : [])];
        return { ...found, notes, seen_ms: performance.now() - began };
      }));
    },
    async find(query) {
      return remember((await ask(`items?limit=20&query=${encodeURIComponent(query)}`)).items);
    },
    async prefix(catalogue, prefix) {
      const model = start.catalogues[catalogue].model;
      const found = await ask(`prefix/${prefix.join("/")}?limit=60&model=${encodeURIComponent(model)}`);
      remember(found.items);
      return { ...found, here: found.total };
    },
  };
  const source = given.live ? live : embedded;

  // ---- cards ----------------------------------------------------------------------------------------------------
  function codeChips(codes, catalogue) {
    const sizes = start.catalogues[catalogue].sizes;
    return codes.map((code, level) =>
      make("button", {
        type: "button", class: "code", text: codeName(level, code), vars: { "--hue": hueOf(level, code, sizes) },
        title: `Items whose codes begin so (level ${level + 1})`,
        click: () => go(["tree", catalogue, ...codes.slice(0, level + 1)]),
      }));
  }

  function fieldsLine(id) {
    const fields = known.get(id)?.fields || {};
    const told = Object.entries(fields).filter(([name, value]) => name !== "title" && value !== null && value !== "" && shown(value).length <= 60);
    return make("p", { class: "fields" }, ...told.slice(0, 4).map(([name, value]) =>
      make("span", { text: typeof value === "number" ? `${name} ${shown(value)}` : shown(value), title: name })));
  }

  function itemCard(id, { rank, score, codes, catalogue, badges = [], hit = false, extra = null, remove = null } = {}) {
    const title = make("button", { type: "button", class: "title", text: titleOf(id), title: titleOf(id), click: () => showItem(id) });
    const top = make("div", { class: "top" }, rank ? make("span", { class: "rank", text: rank }) : null, title,
      score === undefined ? null : make("span", { class: "score", text: number(score), title: "score" }), remove);
    return make("li", { class: hit ? "card hit" : "card", "data-item": id }, top, fieldsLine(id),
      make("div", { class: "marks" }, ...(codes && codes.length ? codeChips(codes, catalogue) : []), ...badges), extra);
  }

  const colour = (name) => `var(--${COLOURS[name] || "other"})`;
  function why(item, range) {
    const names = Object.keys(item.parts);
    const size = names.reduce((sum, name) => sum + Math.abs(item.parts[name]), 0) || 1;
    const stack = make("span", { class: "stack", "aria-hidden": "true" }, ...names.map((name) =>
      make("i", { vars: { "--part": colour(name), width: `${(100 * Math.abs(item.parts[name])) / size}%` } })));
    const span = range.high - range.low || 1;
    const place = (value) => (100 * (value - range.low)) / span;
    const bar = (value, colouring) => make("span", { class: "axis", vars: { "--zero": `${place(0)}%` }, "aria-hidden": "true" },
      make("i", { vars: { "--part": colouring, left: `${place(Math.min(0, value))}%`, width: `${(100 * Math.abs(value)) / span}%` } }));
    const rows = names.flatMap((name) => [
      make("span", { text: NAMES[name] || name }), bar(item.parts[name], colour(name)),
      make("span", { class: "value", text: number(item.parts[name]), "data-part": name })]);
    const parts = make("div", { class: "parts" }, ...rows,
      make("span", { class: "sum", text: "score" }), make("span", { class: "sum" }), make("span", { class: "value sum", text: number(item.score) }));
    const scaled = "scale" in item.parts;
    const walk = item.levels && item.levels.length ? make("ol", { class: "walk" }, ...item.levels.map((value, level) =>
      make("li", {}, make("span", { text: level ? `then ${codeName(level, item.semantic_id[level])}` : `first ${codeName(0, item.semantic_id[0])}` }),
        make("span", { class: "value", text: scaled ? number(value, 3) : `${percent(value)}  (${number(value)})` })))) : null;
    const label = names.map((name) => `${NAMES[name] || name} ${number(item.parts[name])}`).join(", ");
    return make("details", { class: "why", open: state.open }, make("summary", { "aria-label": `Why: ${label}` }, stack), parts, walk);
  }
  const percent = (value) => { const share = 100 * Math.exp(value); return `${share >= 10 ? share.toFixed(0) : share.toPrecision(2)} %`; };

  function rangeOf(answer) {
    let low = 0, high = 0;
    for (const item of answer.items) for (const value of Object.values(item.parts || {})) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return { low, high };
  }

  function legend(answer) {
    const names = Object.keys(answer.items[0]?.parts || {});
    if (names.length < 2) return null;
    return make("p", { class: "legend", "aria-hidden": "true" }, ...names.map((name) =>
      make("span", { text: NAMES[name] || name, vars: { "--part": colour(name) } })));
  }

  function listOf(model, answer, answers) {
    const others = answers.map((one, n) => ({ name: start.models[n].name, ranks: new Map(one.items.map((item) => [item.item_id, item.rank])) }));
    const range = rangeOf(answer), next = new Set(state.person.next || []);
    const cards = answer.items.map((item) => {
      const badges = next.has(item.item_id) ? [make("span", { class: "badge next", text: "came next" })] : [];
      for (const other of others) if (other.name !== model.name && other.ranks.has(item.item_id)) {
        badges.push(make("span", { class: "badge", text: `${other.ranks.get(item.item_id)} in ${other.name}` }));
      }
      return itemCard(item.item_id, {
        rank: item.rank, score: item.score, codes: item.semantic_id, catalogue: model.catalogue, badges,
        hit: next.has(item.item_id), extra: item.parts ? why(item, range) : null,
      });
    });
    const took = answer.took_ms === undefined || answer.took_ms === null ? "" : ` · ${number(answer.took_ms, answer.took_ms < 10 ? 1 : 0)} ms`;
    const round = answer.seen_ms === undefined ? "" : ` (${number(answer.seen_ms, 0)} ms with the way here)`;
    const notes = (answer.notes || []).map((note) => note.message || note).join(" ");
    return make("section", { class: "list", "aria-label": model.name, "data-model": model.name },
      make("h2", { text: model.name }),
      make("p", { class: "meta", text: `${model.description}${took}${round}` }),
      notes ? make("p", { class: "meta", text: notes }) : null,
      legend(answer),
      cards.length ? make("ol", { class: "cards" }, ...cards) : make("p", { class: "empty", text: "No item is allowed." }));
  }

  // ---- people ---------------------------------------------------------------------------------------------------
  function wishes() {
    const chosen = {}, where = [];
    if (!given.live) return chosen;
    chosen.k = Math.max(1, Math.min(50, Number($("k").value) || 10));
    if ($("beams").value) chosen.beams = Number($("beams").value);
    const kind = $("diversity").value;
    if (kind === "groups") chosen.groups = 5;
    if (kind === "cap") chosen.max_per_prefix = 2;
    if (kind === "mmr") chosen.mmr = 0.6;
    if ($("seen").checked) chosen.exclude_seen = false;
    for (const input of $("filters").querySelectorAll("[data-field]")) {
      const value = input.value.trim();
      if (value) where.push(`${input.dataset.field}${input.dataset.sign}${value}`);
    }
    if (where.length) chosen.where = where;
    return chosen;
  }

  async function showPerson(person) {
    state.person = person;
    const asked = ++state.asked;
    $("user").value = person.user || "";
    $("history-title").textContent = person.user ? "History" : "History by hand";
    const next = person.next && person.next.length ? " What came next was not shown to the models." : "";
    const who = person.user ? `${person.user}: ` : "";
    $("history-meta").textContent = person.history.length ? `${who}${plural(person.items || person.history.length, "item")}, newest first${person.items > person.history.length ? `; the newest ${person.history.length} are here` : ""}.${next}` : "Nothing yet: find an item and add it.";
    const remove = (place) => given.live ? make("button", {
      type: "button", class: "remove", text: "✕", "aria-label": `Take out ${titleOf(person.history[place])}`,
      click: () => byHand(person.history.filter((_, n) => n !== place)),
    }) : null;
    const later = (person.next || []).map((id) => itemCard(id, { hit: true, badges: [make("span", { class: "badge next", text: "came next" })] }));
    fill($("items"), ...[...person.history.map((id, place) => itemCard(id, { remove: remove(place) })), ...later].reverse());
    if (given.live) say("…");
    try {
      const answers = await source.answers(person, wishes());
      if (asked !== state.asked) return; // somebody asked for another one since
      fill($("lists"), ...answers.map((answer, n) => listOf(start.models[n], answer, answers)));
      say("");
    } catch (error) {
      if (asked === state.asked) say(error.message, true);
    }
  }
  const byHand = (history) => go(["history", ...history]);

  function step(by) {
    const names = start.users.map((one) => one.user ?? one);
    if (!names.length) return;
    const at = names.indexOf(state.person?.user);
    go(["user", names[(at + by + names.length) % names.length]]);
  }

  async function anybody() {
    try {
      const person = await source.random();
      if (!person) return say("There are no users here.");
      if (given.live && !person.user) return byHand(person.history);
      if (given.live && !start.users.includes(person.user)) start.users.push(person.user);
      go(["user", person.user]);
    } catch (error) {
      say(error.message, true);
    }
  }

  // ---- the tree of codes ----------------------------------------------------------------------------------------
  async function showTree(catalogue, prefix) {
    const about = start.catalogues[catalogue];
    if (!about) return;
    state.tree = { catalogue, prefix };
    $("catalogue").value = String(catalogue);
    const crumb = (text, path, current) => make("button", {
      type: "button", text, "aria-current": current ? "true" : null, click: () => go(["tree", catalogue, ...path]),
    });
    fill($("crumbs"), crumb("all items", [], !prefix.length), ...prefix.map((code, level) =>
      crumb(codeName(level, code), prefix.slice(0, level + 1), level === prefix.length - 1)));
    let found;
    try {
      found = await source.prefix(catalogue, prefix);
    } catch (error) {
      fill($("children"));
      fill($("below"));
      $("tree-meta").textContent = error.message;
      return;
    }
    const some = found.here < found.total ? ` ${amount(found.here)} of them are in this page.` : "";
    const level = prefix.length, most = Math.max(1, ...found.children.map((child) => child.items));
    const what = level < about.sizes.length ? ` Level ${level + 1} of ${about.sizes.length}: ${plural(found.children.length, "code")} of ${amount(about.sizes[level])} in use here.` : "";
    $("tree-meta").textContent = `${plural(found.total, "item")}.${what}${some}`;
    const last = level >= about.sizes.length;
    fill($("children"), ...(last ? [] : found.children).map((child) => make("li", {}, make("button", {
      type: "button", "data-code": child.code, click: () => go(["tree", catalogue, ...prefix, child.code]),
    }, make("span", { class: "head" },
      make("span", { class: "code", text: codeName(level, child.code), vars: { "--hue": hueOf(level, child.code, about.sizes) } }),
      make("span", { text: plural(child.items, "item") })),
    make("span", { class: "amount", "aria-hidden": "true" }, make("i", { vars: { width: `${(100 * child.items) / most}%` } })),
    make("small", { text: child.example })))));
    const few = prefix.length > 0 || found.total <= 60;
    fill($("below"), ...(few ? found.items : []).map((item) => itemCard(item.item_id, { codes: item.semantic_id, catalogue })));
  }

  // ---- one item -------------------------------------------------------------------------------------------------
  async function codesOf(id) {
    if (!given.live) return start.catalogues.map((one) => one.codes[id]);
    return Promise.all(start.catalogues.map((one) =>
      ask(`items/${encodeURIComponent(id)}?model=${encodeURIComponent(one.model)}`).then((found) => found.semantic_id, () => null)));
  }

  async function showItem(id) {
    const card = known.get(id) || { title: id, fields: {} };
    const rows = Object.entries(card.fields).filter(([name, value]) => name !== "title" && value !== null && value !== "")
      .flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: shown(value) })]);
    const places = (await codesOf(id)).map((codes, n) => (codes ? make("div", { class: "marks" }, ...codeChips(codes, n)) : null));
    const add = given.live ? make("button", {
      type: "button", class: "primary", text: "Add to the history",
      click: () => { $("card").close(); byHand([...(state.person?.history || []), id]); },
    }) : null;
    fill($("card").querySelector("div"), make("h2", { text: card.title }), make("dl", {}, make("dt", { text: "item" }), make("dd", { text: id }), ...rows), ...places, add);
    if (!$("card").open) $("card").showModal();
  }

  // ---- finding items --------------------------------------------------------------------------------------------
  let finding = 0;
  async function find() {
    const query = $("query").value.trim(), mine = ++finding;
    if (!query) return hideFound();
    let ids;
    try {
      ids = await source.find(query);
    } catch (error) {
      return say(error.message, true);
    }
    if (mine !== finding) return;
    const rows = ids.map((id, n) => make("li", { role: "option", id: `found-${n}`, "aria-selected": "false", "data-item": id, click: () => take(id) },
      make("span", { text: titleOf(id) }), make("small", { text: id })));
    fill($("found"), ...(rows.length ? rows : [make("li", { text: "No item has these words." })]));
    $("found").hidden = false;
    $("query").setAttribute("aria-expanded", "true");
  }
  function hideFound() {
    $("found").hidden = true;
    $("query").setAttribute("aria-expanded", "false");
    $("query").removeAttribute("aria-activedescendant");
  }
  function take(id) {
    hideFound();
    $("query").value = "";
    if (given.live) byHand([...(state.person?.history || []), id]);
    else showItem(id);
  }
  function choose(event) {
    const rows = [...$("found").querySelectorAll("[role=option]")];
    const at = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
    if (event.key === "Escape") return hideFound();
    if (event.key === "Enter") {
      event.preventDefault();
      const row = rows[at < 0 ? 0 : at];
      return row && !$("found").hidden ? take(row.dataset.item) : undefined;
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return undefined;
    event.preventDefault();
    const to = rows[(at + (event.key === "ArrowDown" ? 1 : rows.length - 1) + rows.length) % rows.length] || rows[0];
    rows.forEach((row) => row.setAttribute("aria-selected", String(row === to)));
    if (to) {
      $("query").setAttribute("aria-activedescendant", to.id);
      to.scrollIntoView({ block: "nearest" });
    }
    return undefined;
  }

  // ---- places: the part of the address behind # ----------------------------------------------------------------
  function go(path) {
    const wanted = `#/${path.map((part) => encodeURIComponent(part)).join("/")}`;
    if (location.hash === wanted) route();
    else location.hash = wanted;
  }
  function show(view) {
    state.view = view;
    for (const name of ["people", "tree"]) $(name).hidden = name !== view;
    for (const button of document.querySelectorAll("[data-view]")) {
      if (button.dataset.view === view) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
    }
  }
  async function route() {
    let path;
    try {
      path = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
    } catch {
      path = [];
    }
    if ($("card").open) $("card").close();
    if (path[0] === "tree" && start.catalogues.length) {
      const numbers = path.slice(1).map(Number).filter((n) => Number.isInteger(n) && n >= 0);
      show("tree");
      return showTree(start.catalogues[numbers[0]] ? numbers[0] : 0, numbers.slice(1));
    }
    show("people");
    if (path[0] === "history" && given.live) {
      const strangers = path.slice(1).filter((id) => !known.has(id));
      await Promise.all(strangers.map((id) => ask(`items/${encodeURIComponent(id)}`).then((card) => remember([card]), () => null)));
      return showPerson({ user: "", history: path.slice(1), next: [] });
    }
    if (path[0] === "user" && path[1] !== undefined) {
      let person = null;
      try {
        person = state.person?.user === path[1] && state.person.history ? state.person : await source.person(path[1]);
      } catch (error) {
        return say(error.message, true);
      }
      return person ? showPerson(person) : say(`There is no user ${path[1]} in this page.`, true);
    }
    if (state.person) return undefined;
    if (start.users.length) return go(["user", start.users[0].user ?? start.users[0]]);
    return given.live ? anybody() : showPerson({ user: "", history: [], next: [], answers: [] });
  }

  function theme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  }
  function everyWhy() {
    state.open = !state.open;
    for (const one of document.querySelectorAll(".why")) one.open = state.open;
  }

  // ---- controls -------------------------------------------------------------------------------------------------
  function filters() {
    fill($("filters"), ...start.filters.flatMap((one, n) => {
      if (one.kind === "number") return [["≥", ">="], ["≤", "<="]].map(([sign, operator]) => make("label", { text: `${one.field} ${sign} ` },
        make("input", { type: "number", step: "any", "data-field": one.field, "data-sign": operator, placeholder: sign === "≥" ? shown(one.low) : shown(one.high) })));
      const list = make("datalist", { id: `values-${n}` }, ...one.values.map((value) => make("option", { value })));
      return [make("label", { text: `${one.field} ` }, make("input", { "data-field": one.field, "data-sign": "=", list: list.id, autocomplete: "off" }), list)];
    }));
  }

  function listen() {
    const again = () => state.person && showPerson(state.person);
    $("controls").addEventListener("submit", (event) => event.preventDefault());
    $("user").addEventListener("change", () => $("user").value && go(["user", $("user").value]));
    $("random").addEventListener("click", anybody);
    $("previous").addEventListener("click", () => step(-1));
    $("next").addEventListener("click", () => step(1));
    $("theme").addEventListener("click", theme);
    $("help").addEventListener("click", () => $("keys").showModal());
    $("wishes").addEventListener("change", again);
    $("clear").addEventListener("click", () => {
      for (const input of $("wishes").querySelectorAll("input, select")) {
        if (input.type === "checkbox") input.checked = false;
        else input.value = input.id === "k" ? "10" : "";
      }
      again();
    });
    let later;
    $("query").addEventListener("input", () => { clearTimeout(later); later = setTimeout(find, given.live ? 120 : 40); });
    $("query").addEventListener("keydown", choose);
    document.addEventListener("click", (event) => { if (!$("search").contains(event.target)) hideFound(); });
    $("catalogue").addEventListener("change", () => go(["tree", $("catalogue").value]));
    for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => view(button.dataset.view));
    addEventListener("hashchange", route);
    addEventListener("keydown", keys);
  }
  function view(name) {
    if (name === "tree") return go(["tree", state.tree.catalogue, ...state.tree.prefix]);
    if (!state.person) return go([]);
    return state.person.user ? go(["user", state.person.user]) : go(["history", ...state.person.history]);
  }
  function keys(event) {
    const typing = event.target.closest("input, select, textarea, dialog[open]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      r: anybody, w: everyWhy, d: theme, 1: () => view("people"), 2: () => start.catalogues.length && view("tree"),
      ArrowLeft: () => state.view === "people" && step(-1), ArrowRight: () => state.view === "people" && step(1),
      "/": () => { if (state.view !== "people") view("people"); $("query").focus(); }, "?": () => $("keys").showModal(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  async function begin() {
    try {
      start = await source.start();
    } catch (error) {
      return say(error.message, true);
    }
    $("version").textContent = start.version;
    $("about").textContent = start.about;
    fill($("users"), ...start.users.map((one) => make("option", { value: one.user ?? one })));
    fill($("catalogue"), ...start.catalogues.map((one, n) => make("option", { value: n, text: one.name })));
    $("which").hidden = start.catalogues.length < 2;
    document.querySelector("[data-view=tree]").hidden = !start.catalogues.length;
    $("wishes").hidden = !given.live;
    if (given.live) filters();
    listen();
    return route();
  }
  begin();
})();
