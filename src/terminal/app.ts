import {
  Container,
  Editor,
  getKeybindings,
  isKeyRelease,
  KeybindingsManager,
  matchesKey,
  ProcessTerminal,
  ScrollView,
  setCapabilityOverrides,
  setKeybindings,
  Text,
  TUI_KEYBINDINGS,
  TuiAltScreen,
  VStack,
} from "@earendil-works/pi-tui";
import type { AttachClientOptions } from "../attach/client.ts";
import type { ClientState, RefusedCode } from "../attach/client-state.ts";
import { Undelivered } from "../attach/outbox.ts";
import { type Attachment, attachment, type ReadLocalFile } from "./attachments.ts";
import { Choice, type ChoiceOptions } from "./choice.ts";
import { Completion } from "./completion.ts";
import { dialogChoice } from "./dialog.ts";
import { ItemView } from "./item-view.ts";
import type { NestApi } from "./nest-api.ts";
import { type ColourDepth, type Palette, palette } from "./palette.ts";
import { SessionView } from "./session-view.ts";
import { HELP_LINES, parseSlash, type SlashName } from "./slash-commands.ts";
import { StatusLine } from "./status-line.ts";
import { editorTheme, markdownTheme } from "./theme.ts";
import { Transcript } from "./transcript.ts";

export interface TerminalOptions {
  readonly client: Omit<AttachClientOptions, "onState" | "onAttached" | "onEvent">;
  readonly api: NestApi;
  readonly colours: ColourDepth;
  readonly readLocalFile: ReadLocalFile;
  /** Shown once at the beginning. */
  readonly warning?: string;
}

/** How the terminal client ended: by its user, or refused before it ever was attached. */
export type TerminalEnd =
  { readonly kind: "left" } | { readonly kind: "refused"; readonly code: RefusedCode };

/** A second Ctrl-C within this time leaves, ms. */
const LEAVE_MS = 2000;
/** Prompts of a session that Up brings back, count. */
const MAX_HISTORY = 100;

/** The terminal client on the whole screen, until its user leaves. */
export class TerminalApp {
  readonly #options: TerminalOptions;
  readonly #palette: Palette;
  readonly #tui: TuiAltScreen;
  readonly #editor: Editor;
  readonly #completion: Completion;
  readonly #hint = new Text("", 1, 0);
  readonly #panel = new Container();
  #view: SessionView | undefined;
  #transcript: Transcript | undefined;
  #choice: { readonly id: string; readonly choice: Choice } | undefined;
  #attachments: Attachment[] = [];
  /** Prompts on their way. */
  #sending = 0;
  #wasOpen = false;
  #isSearching = false;
  #leaveUntilMs = 0;
  #cancelTick = () => {};
  #end: (end: TerminalEnd) => void = () => {};

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#palette = palette(options.colours);
    // A link shows where it leads, as text; nothing is drawn by image protocols.
    setCapabilityOverrides({ hyperlinks: false, images: null });
    setKeybindings(
      new KeybindingsManager(TUI_KEYBINDINGS, {
        "tui.altScreen.search": ["ctrl+f", "ctrl+shift+f"],
        "tui.editor.cursorRight": "right",
      }),
    );
    this.#tui = new TuiAltScreen(new ProcessTerminal(), true, undefined, {
      openUrl: () => {},
      searchMatchStyle: this.#palette.underline,
      searchCurrentMatchStyle: this.#palette.inverse,
      scrollToEndIndicator: () => this.#palette.accent(" ↓ more below "),
    });
    this.#editor = new Editor(this.#tui, editorTheme(this.#palette), { paddingX: 1 });
    this.#editor.onSubmit = (text) => this.#submit(text, "steer");
    this.#completion = new Completion(options.api);
    this.#editor.setAutocompleteProvider(this.#completion);
  }

  run(): Promise<TerminalEnd> {
    return new Promise((resolve) => {
      this.#end = (end) => {
        this.#end = () => {};
        this.#cancelTick();
        this.#view?.[Symbol.dispose]();
        this.#tui.stop({ preserveScreen: true });
        resolve(end);
      };
      this.#tui.addInputListener((data) => (this.#key(data) ? { consume: true } : undefined));
      this.#open(this.#options.client.session ?? "default");
      this.#tui.setFocus(this.#editor);
      this.#tui.start();
      if (this.#options.warning !== undefined)
        this.#view?.conversation.note(this.#options.warning, true);
    });
  }

  /** Leaves, as its user would. */
  leave(): void {
    this.#end({ kind: "left" });
  }

  #open(session: string): void {
    this.#view?.[Symbol.dispose]();
    this.#closeChoice();
    const view: SessionView = new SessionView({
      client: { ...this.#options.client, session },
      changed: () => this.#changed(),
      stateChanged: (state) => {
        if (this.#view === view || this.#view === undefined) this.#stateChanged(state);
      },
      loaded: (prompts) => {
        for (const prompt of prompts.slice(-MAX_HISTORY)) this.#editor.addToHistory(prompt);
      },
    });
    this.#view = view;
    const transcript = new Transcript(
      view.conversation,
      new ItemView(this.#palette, markdownTheme(this.#palette)),
      this.#palette,
    );
    this.#transcript = transcript;
    const scroll = new ScrollView(transcript, {
      follow: "end",
      primary: true,
      scrollbar: "auto",
      scrollbarTrackStyle: this.#palette.dim,
      scrollbarThumbStyle: this.#palette.dim,
    });
    const nowMs = () => this.#options.client.clock.monotonicMs();
    this.#tui.setLayoutRoot(
      new VStack([
        { component: scroll, basis: 0, grow: 1, minSize: 1 },
        { component: this.#panel, basis: "auto", shrink: 1 },
        { component: this.#hint, basis: "auto", shrink: 0 },
        { component: this.#editor, basis: "auto", shrink: 1, minSize: 3 },
        { component: new StatusLine(view.status, this.#palette, nowMs), basis: 1, shrink: 0 },
      ]),
    );
    view.client.start();
    this.#changed();
  }

  #stateChanged(state: ClientState): void {
    if (state.kind === "open") this.#wasOpen = true;
    if (state.kind === "refused" && !this.#wasOpen) {
      this.#end({ kind: "refused", code: state.code });
      return;
    }
    this.#tick();
    this.#changed();
  }

  /** Counts down while it is away. */
  #tick(): void {
    this.#cancelTick();
    const { kind } = this.#view?.status.state ?? { kind: "connecting" };
    if (kind !== "away" && kind !== "locked_out") return;
    this.#cancelTick = this.#options.client.clock.after(1000, () => {
      this.#changed();
      this.#tick();
    });
  }

  #changed(): void {
    const view = this.#view;
    if (view === undefined) return;
    this.#completion.agentCommands = view.agentCommands;
    const [dialog] = view.dialogs;
    if (this.#choice !== undefined && this.#choice.id !== "" && this.#choice.id !== dialog?.id)
      this.#closeChoice();
    if (dialog !== undefined && this.#choice === undefined) {
      this.#ask(
        dialog.id,
        dialogChoice(dialog, (answer) => {
          // The dialog closes when the server says that it is over: another may have been faster.
          void view.client.answerDialog(dialog.id, answer).catch(() => {});
        }),
      );
    }
    this.#hint.setText(this.#hintText(view));
    this.#tui.requestRender();
  }

  #hintText({ conversation, client }: SessionView): string {
    const { queue, isBusy } = conversation;
    const waiting = [...queue.steering, ...queue.followUp];
    const lines = waiting.map((text) => `Queued: ${text.split("␊", 1)[0]?.slice(0, 60)}`);
    for (const { name } of this.#attachments) lines.push(`Attached: ${name}`);
    if (this.#sending > 0 && client.state.kind !== "open")
      lines.push("The prompt is sent as soon as there is a connection");
    const isAboutToLeave = this.#leaveUntilMs > this.#options.client.clock.monotonicMs();
    if (isAboutToLeave) lines.push("Ctrl-C again leaves; the agent goes on");
    else if (isBusy && client.state.kind === "open")
      lines.push("Working. Enter steers · Alt-Enter queues · Esc stops");
    return lines.map(this.#palette.dim).join("\n");
  }

  /** @returns true if the key was used here */
  #key(data: string): boolean {
    if (isKeyRelease(data)) return false;
    const { monotonicMs } = this.#options.client.clock;
    if (matchesKey(data, "ctrl+c")) {
      if (this.#choice !== undefined) return false;
      if (this.#editor.getText() !== "") this.#editor.setText("");
      else if (monotonicMs() < this.#leaveUntilMs) this.leave();
      else this.#leaveUntilMs = monotonicMs() + LEAVE_MS;
      this.#changed();
      return true;
    }
    if (matchesKey(data, "ctrl+d") && this.#editor.getText() === "") {
      this.leave();
      return true;
    }
    if (matchesKey(data, "ctrl+o") && this.#transcript !== undefined) {
      this.#transcript.isAllOpen = !this.#transcript.isAllOpen;
      this.#tui.requestRender();
      return true;
    }
    if (getKeybindings().matches(data, "tui.altScreen.search")) {
      this.#isSearching = !this.#isSearching;
      return false;
    }
    if (matchesKey(data, "alt+enter") && this.#choice === undefined) {
      const text = this.#editor.getExpandedText();
      this.#editor.setText("");
      this.#submit(text, "followUp");
      return true;
    }
    return matchesKey(data, "escape") && this.#escape();
  }

  #escape(): boolean {
    if (this.#isSearching) {
      this.#isSearching = false;
      return false;
    }
    if (this.#choice !== undefined || this.#editor.isShowingAutocomplete()) return false;
    if (this.#view?.conversation.isBusy !== true) return false;
    void this.#stop(this.#view);
    return true;
  }

  /** A queued prompt would survive and run after the next one. */
  async #stop(view: SessionView): Promise<void> {
    await view.ask({ type: "clear_queue" });
    await view.ask({ type: "abort" });
  }

  #submit(typed: string, streamingBehavior: "steer" | "followUp"): void {
    const view = this.#view;
    const text = typed.trim();
    if (view === undefined || (text === "" && this.#attachments.length === 0)) return;
    this.#editor.addToHistory(text);
    const slash = parseSlash(text);
    if (slash === undefined) void this.#prompt(view, text, streamingBehavior);
    else void this.#run(view, slash.name, slash.argument);
  }

  async #prompt(
    view: SessionView,
    text: string,
    streamingBehavior: "steer" | "followUp",
  ): Promise<void> {
    const attachments = this.#attachments.splice(0);
    const images = attachments.flatMap(({ image }) => (image === undefined ? [] : [image]));
    const named = attachments
      .filter(({ image }) => image === undefined)
      .map(({ name }) => `@${name}`);
    const message = [text, ...named].filter((part) => part !== "").join("\n\n");
    this.#sending++;
    this.#tui.scrollToBottom();
    this.#changed();
    try {
      const response = await view.client.prompt(message === "" ? "See the image." : message, {
        // Without effect while the agent is idle; and whether it still is, only the server knows.
        streamingBehavior,
        ...(images.length > 0 && { images }),
      });
      if (!response.success) this.#giveBack(view, text, attachments, response.error ?? "Refused");
    } catch (error) {
      const isUnsure = error instanceof Undelivered && error.code === "outcome_unknown";
      if (isUnsure) view.conversation.note((error as Error).message, true);
      else this.#giveBack(view, text, attachments, (error as Error).message);
    } finally {
      this.#sending--;
      this.#changed();
    }
  }

  /** What was not sent is the draft again, unless there is a new one. */
  #giveBack(view: SessionView, text: string, attachments: Attachment[], why: string): void {
    view.conversation.note(why, true);
    this.#attachments.unshift(...attachments);
    if (this.#editor.getText() === "") this.#editor.setText(text);
  }

  async #run(view: SessionView, name: SlashName, argument: string): Promise<void> {
    switch (name) {
      case "help":
        view.conversation.note(HELP_LINES.join("\n"));
        break;
      case "quit":
        this.leave();
        return;
      case "session":
        if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(argument)) this.#open(argument);
        else view.conversation.note("Expected a name: letters, digits, - and _", true);
        break;
      case "sessions":
        await this.#chooseSession(view);
        break;
      case "model":
        await this.#chooseModel(view);
        break;
      case "thinking":
        await view.ask({ type: "set_thinking_level", level: argument });
        break;
      case "attach":
        await this.#attach(view, argument);
        break;
      case "queue": {
        const queued = await view.ask({ type: "clear_queue" });
        const { steering = [], followUp = [] } = (queued?.data ?? {}) as Record<string, string[]>;
        const text = [...steering, ...followUp].join("\n\n");
        if (text !== "" && this.#editor.getText() === "") this.#editor.setText(text);
        break;
      }
      case "stop":
        await this.#stop(view);
        break;
      case "new":
        if ((await view.ask({ type: "new_session" }))?.success === true)
          this.#open(view.status.session);
        break;
      case "compact":
        await view.ask({
          type: "compact",
          ...(argument !== "" && { customInstructions: argument }),
        });
        break;
      case "find":
        view.conversation.note("Ctrl-F searches the conversation");
        break;
    }
    this.#changed();
  }

  async #attach(view: SessionView, path: string): Promise<void> {
    if (path === "") {
      view.conversation.note("Expected a path: of the vault, or of this machine (./ or /)", true);
      return;
    }
    try {
      this.#attachments.push(
        await attachment(path, this.#options.api, this.#options.readLocalFile),
      );
    } catch (error) {
      view.conversation.note((error as Error).message, true);
    }
  }

  async #chooseSession(view: SessionView): Promise<void> {
    let names: string[];
    try {
      names = (await this.#options.api.sessions()).map(({ name }) => name);
    } catch (error) {
      view.conversation.note(
        `Cannot list the sessions: ${(error as Error).message}. /session NAME goes to one`,
        true,
      );
      return;
    }
    this.#ask("", {
      title: "Session",
      items: names.map((name) => ({ value: name, label: name })),
      done: (name) => this.#open(name),
      cancelled: () => {},
    });
  }

  async #chooseModel(view: SessionView): Promise<void> {
    const response = await view.ask({ type: "get_available_models" });
    const { models } = (response?.data ?? {}) as {
      models?: { id: string; name?: string; provider: string }[];
    };
    if (!Array.isArray(models)) return;
    this.#ask("", {
      title: "Model",
      items: models.map(({ id, name, provider }, place) => ({
        value: String(place),
        label: name ?? id,
        description: provider,
      })),
      done: (place) => {
        const model = models[Number(place)];
        if (model !== undefined)
          void view.ask({ type: "set_model", provider: model.provider, modelId: model.id });
      },
      cancelled: () => {},
    });
  }

  /** @param id - of a dialog; empty for a question of the terminal's own, which closes by itself */
  #ask(id: string, options: ChoiceOptions): void {
    this.#closeChoice();
    const close = () => {
      if (id === "") this.#closeChoice();
    };
    const choice = new Choice(
      {
        ...options,
        done: (value) => {
          close();
          options.done(value);
        },
        cancelled: () => {
          close();
          options.cancelled();
        },
      },
      this.#palette,
    );
    this.#choice = { id, choice };
    this.#panel.addChild(choice);
    this.#tui.setFocus(choice);
    this.#tui.requestRender();
  }

  #closeChoice(): void {
    if (this.#choice === undefined) return;
    this.#panel.removeChild(this.#choice.choice);
    this.#choice = undefined;
    this.#tui.setFocus(this.#editor);
    this.#tui.requestRender();
  }
}
