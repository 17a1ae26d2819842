"""`python -m mock_llm`: serve the mock LLM, configured by the MOCK_LLM_ variables."""

import gc

from mock_llm.app import create_app
from mock_llm.config import Settings
from mock_llm.models_file import ModelsError
from service.environment import parser_for, read_environment
from service.http import listen, serve_until_signal
from service.logs import configure_logging

HELP = """\
A stand-in for OpenAI's API: it answers at once with an essay, says exactly how many tokens that was, and keeps
a ledger of all that it said. It needs no key and no network.

Point a client at it:
  OPENAI_BASE_URL=http://127.0.0.1:8201/v1 OPENAI_API_KEY=any
  curl http://127.0.0.1:8201/v1/chat/completions --json '{"messages": [{"role": "user", "content": "Hello."}]}'

Routes: /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/models; /ledger (GET, DELETE), /ledger/entries;
  /healthz, /readyz, /metrics, /docs, /openapi.json

Choose the usage of one answer by the headers x-mock-prompt-tokens, x-mock-completion-tokens and x-mock-cached-tokens,
  of a model by the file that MOCK_LLM_MODELS names, of all the rest by MOCK_LLM_TOKENS and MOCK_LLM_SEED.
Get a fault by the header x-mock-fault: rate_limited, by fault:reset in the prompt, or by MOCK_LLM_FAULT_RATES.
Get a tool call by naming an offered tool in the prompt.
Get delays by MOCK_LLM_TTFT_MS (to the first token) and MOCK_LLM_ITL_MS (between tokens), or by model in the file.
See who was told what: curl http://127.0.0.1:8201/ledger (callers are told apart by x-team-id and x-user-id).

More: docs/mock_llm.md"""


def main() -> None:
    parser_for(Settings, "mock_llm", HELP).parse_args()
    settings = read_environment(Settings)
    configure_logging()
    try:
        app = create_app(settings)
    except ModelsError as error:
        raise SystemExit(f"{error} MOCK_LLM_MODELS names this file.") from None
    # What is there now stays; the collector need not look at it again while calls wait.
    gc.collect()
    gc.freeze()
    serve_until_signal(app, listen(settings.host, settings.port, "MOCK_LLM_PORT"), app.stop)


if __name__ == "__main__":
    main()
