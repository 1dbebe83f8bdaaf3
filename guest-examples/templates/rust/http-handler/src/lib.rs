//! {{name}}: makes an event of each line of a request, as an example.

use flumen_plugin_sdk::http_handler::*;

struct Plugin {
    header: String,
}

impl HttpHandler for Plugin {
    /// Reads the `config.*` settings. One that is not read here is refused.
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self { header: options.or("header", "path".to_owned())? })
    }

    fn handle(&mut self, request: &Request, events: &mut Events) -> Result<(), Refusal> {
        if request.method != "POST" {
            return Err(Refusal::new(405, "send lines with POST"));
        }
        for line in bytes::lines(&request.body) {
            events.push(line);
        }
        events.set_header_all(&self.header, &request.path);
        Ok(())
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use flumen_plugin_sdk::testing::{Event, events, made, options};

    use super::*;

    #[test]
    fn lines_become_events_with_the_path() {
        let mut plugin = Plugin::configure(&options(&[])).ok().expect("valid options");
        let mut request = Request { method: "POST".into(), path: "/in".into(), body: b"a\nb".to_vec(), ..Request::default() };
        let mut made_of = events();
        plugin.handle(&request, &mut made_of).expect("taken");
        assert_eq!(made(made_of), ["a", "b"].map(|body| Event::new(body).with("path", "/in")));
        request.method = "GET".into();
        assert_eq!(plugin.handle(&request, &mut events()).err().map(|refusal| refusal.status), Some(405));
    }
}
