"""How clients reach the pipeline: sockets, REST, long-polling, pages."""
