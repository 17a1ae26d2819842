"""`python -m mock_llm`: serve the mock LLM, configured by the MOCK_LLM_ variables."""

from mock_llm.app import create_app
from mock_llm.config import Settings
from service.environment import parser_for, read_environment
from service.http import serve
from service.logs import configure_logging


def main() -> None:
    parser_for(Settings, "mock_llm", "Answers with essays, and keeps a ledger of the usage it reported.").parse_args()
    settings = read_environment(Settings)
    configure_logging()
    serve(create_app(settings), settings.host, settings.port, "MOCK_LLM_PORT")


if __name__ == "__main__":
    main()
