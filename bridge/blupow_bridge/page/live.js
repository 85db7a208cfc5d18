/** The WebSocket: opened again whenever it is lost, each message handed on once. */

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
const PING_PAUSE = 20_000;
const LONGEST_SILENCE = 45_000;
const CHECK_PAUSE = 5000;
const TOKEN_CHANGED = 4001;

export class Live {
  #handlers;
  #socket = null;
  #instance = "";
  #sequence = 0;
  #pause = FIRST_PAUSE;
  #heardAt = 0;
  #pingedAt = 0;
  #timers = [];

  /**
   * `handlers`: message(message), lost(), refused(tokenChanged), and mayGoOn(): whether the log-in
   * still holds; undefined where nobody can tell.
   */
  constructor(handlers) {
    this.#handlers = handlers;
    // a network that comes back need not wait for the end of a pause
    addEventListener("online", () => this.#retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.#retryNow());
  }

  open() {
    this.close();
    this.#pause = FIRST_PAUSE;
    this.#instance = "";
    this.#connect();
  }

  /** End the connection, and do not try again. */
  close() {
    this.#timers.forEach(clearTimeout);
    this.#timers = [];
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect() {
    const url = new URL("/api/v1/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#instance) {
      url.search = new URLSearchParams({ instance: this.#instance, after: this.#sequence });
    }
    const socket = (this.#socket = new WebSocket(url));
    this.#heardAt = this.#pingedAt = Date.now();
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code }) => socket === this.#socket && this.#lose(code);
    this.#timers = [setInterval(() => this.#check(), CHECK_PAUSE)];
  }

  #receive(text) {
    this.#heardAt = Date.now();
    if (text === "pong") {
      return;
    }
    const message = JSON.parse(text);
    if (message.type === "hello") {
      this.#pause = FIRST_PAUSE;
      if (message.instance !== this.#instance) {
        this.#instance = message.instance;
        this.#sequence = 0;
      }
    } else {
      // a snapshot may have the number of a message that came before it
      if (message.type !== "snapshot" && message.sequence <= this.#sequence) {
        return;
      }
      this.#sequence = message.sequence;
    }
    this.#handlers.message(message);
  }

  #check() {
    const now = Date.now();
    if (now - this.#heardAt > LONGEST_SILENCE) {
      this.#lose(0); // the close of a dead connection may take minutes
    } else if (now - this.#pingedAt >= PING_PAUSE && this.#socket.readyState === WebSocket.OPEN) {
      this.#pingedAt = now;
      this.#socket.send("ping");
    }
  }

  #lose(code) {
    this.close();
    this.#handlers.lost();
    if (code === TOKEN_CHANGED) {
      this.#handlers.refused(true);
      return;
    }
    this.#timers = [setTimeout(() => this.#retry(), this.#pause)];
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  #retryNow() {
    if (this.#socket === null && this.#timers.length) {
      this.close();
      this.#retry();
    }
  }

  async #retry() {
    const attempt = (this.#timers = [0]);
    // a browser does not tell why a WebSocket was refused: it may be the log-in
    const mayGoOn = await this.#handlers.mayGoOn();
    if (attempt !== this.#timers) {
      return;
    }
    if (mayGoOn === false) {
      this.close();
      this.#handlers.refused(false);
    } else if (mayGoOn === undefined) {
      this.#lose(0);
    } else {
      this.#connect();
    }
  }
}
