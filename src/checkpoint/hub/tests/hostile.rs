//! What hubs may do, and how that ends.

use std::time::Duration;

use super::server::{
    Answer, COMMIT, CONFIG, CONFIG_SHA1, LIST, MODEL, Place, Reply, Request, Step, WEIGHTS_SHA256,
    file, head, honest, list, quoted, redirect, status, weights, whole,
};

/// One hub, and how a download from it ends.
pub struct Row {
    pub answer: Answer,
    /// What the error says, or nothing if all goes well.
    pub error: Option<&'static str>,
    /// What makes the client lose its patience.
    pub hurry: Hurry,
    /// What an earlier download left behind of the weights.
    pub left_over: Option<fn() -> Vec<u8>>,
}

/// What a client is in a hurry about.
#[derive(Clone, Copy)]
pub enum Hurry {
    /// Nothing that a test would see.
    No,
    /// The next byte, and the speed.
    ForBytes,
    /// The whole answer.
    ForAll,
}

impl Row {
    const fn slow(self) -> Self {
        Self { hurry: Hurry::ForBytes, ..self }
    }

    const fn slow_in_all(self) -> Self {
        Self { hurry: Hurry::ForAll, ..self }
    }

    const fn after(self, left_over: fn() -> Vec<u8>) -> Self {
        Self { left_over: Some(left_over), ..self }
    }
}

const fn fails(error: &'static str, answer: Answer) -> Row {
    Row { answer, error: Some(error), hurry: Hurry::No, left_over: None }
}

const fn works(answer: Answer) -> Row {
    Row { answer, error: None, hurry: Hurry::No, left_over: None }
}

macro_rules! rows {
    ($($name:ident => $row:expr;)*) => {
        pub const ROWS: &[(&str, Row)] = &[$((stringify!($name), $row)),*];

        #[cfg(test)]
        mod rows {
            $(#[test]
            fn $name() {
                super::super::check(stringify!($name));
            })*
        }
    };
}

rows! {
    an_honest_hub_is_believed => works(|_, _| None);

    // Commits.
    a_commit_that_climbs_is_refused => fails("`../../../../victim`", |request, _| {
        (request.path == LIST).then(|| list("../../../../victim", FILES))
    });
    a_commit_that_climbs_in_forty_letters_is_refused => fails("is not a commit", |request, _| {
        (request.path == LIST).then(|| list(&climbing(40), FILES))
    });
    a_commit_that_is_an_absolute_path_is_refused => fails("is not a commit", |request, place| {
        (request.path == LIST).then(|| list(&place.victim.display().to_string(), FILES))
    });
    a_commit_with_a_newline_is_refused => fails("is not a commit", |request, _| {
        (request.path == LIST).then(|| list(&format!("{COMMIT}\n"), FILES))
    });
    a_commit_with_a_nul_is_refused => fails("is not a commit", |request, _| {
        (request.path == LIST).then(|| raw_list("\"0123456789abcdef\\u00000123456789abcdef0123456\""))
    });
    a_commit_that_moves_the_cursor_is_refused => fails("is not a commit", |request, _| {
        (request.path == LIST).then(|| raw_list("\"\\u001b[2J\\u202e\\u0007\\r\\nerror: all is well\""))
    });
    an_empty_commit_is_refused => fails("is not a commit", |request, _| {
        (request.path == LIST).then(|| list("", FILES))
    });
    a_very_long_commit_is_refused => fails("is not a commit", |request, _| {
        (request.path == LIST).then(|| list(&"a".repeat(100_000), FILES))
    });
    a_commit_that_is_a_branch_is_refused => fails("`main` is not a commit", |request, _| {
        (request.path == LIST).then(|| list("main", FILES))
    });
    a_commit_that_is_a_number_is_refused => fails("the list of files", |request, _| {
        (request.path == LIST).then(|| raw_list("7"))
    });
    a_file_of_another_commit_is_refused => fails("another commit", |request, _| {
        let headers = [("X-Repo-Commit", "../../../../victim"), ("ETag", &*quoted(CONFIG_SHA1))];
        (request.file() == Some("config.json")).then(|| file(request, CONFIG, &headers))
    });

    // Lists of files.
    files_that_nobody_asks_for_may_be_called_anything => works(|request, place| {
        let files = ["../../victim", "/etc/passwd", "", "a\\b", "config.json", "tokenizer.json", "model.safetensors"];
        let victim = place.victim.display().to_string();
        (request.path == LIST).then(|| list(COMMIT, &[&files[..], &[&*victim]].concat()))
    });
    a_list_without_files_is_refused => fails("the list of files", |request, _| {
        (request.path == LIST).then(|| whole("200 OK", &[], b"{\"sha\": \"x\"}"))
    });
    a_list_that_is_a_web_page_is_refused => fails("the list of files", |request, _| {
        (request.path == LIST).then(|| whole("200 OK", &[("Content-Type", "text/html")], WEB_PAGE))
    });
    a_list_that_nests_without_end_is_refused => fails("the list of files", |request, _| {
        (request.path == LIST).then(|| whole("200 OK", &[], "[".repeat(1_000_000).as_bytes()))
    });
    a_list_of_ten_gigabytes_is_refused => fails("10000000000 bytes", |request, _| {
        (request.path == LIST).then(|| huge(&[]))
    });
    a_list_without_end_is_refused => fails("16777216 bytes", |request, _| {
        (request.path == LIST).then(|| endless(&[]))
    });
    a_list_that_unpacks_to_a_bomb_is_refused => fails("gzip", |request, _| {
        (request.path == LIST).then(bomb)
    });

    // Hashes.
    an_etag_that_climbs_is_refused => fails("`../../../../victim`", |request, _| {
        weights_called(request, Some("\"../../../../victim\""))
    });
    an_etag_that_climbs_and_is_as_long_as_a_hash_is_refused => fails("is neither", |request, _| {
        weights_called(request, Some(&quoted(&climbing(64))))
    });
    an_etag_that_climbs_and_is_as_long_as_a_short_hash_is_refused => fails("is neither", |request, _| {
        config_called(request, &quoted(&climbing(40)))
    });
    a_hash_in_capitals_is_refused => fails("is neither", |request, _| {
        config_called(request, &quoted(&CONFIG_SHA1.to_uppercase()))
    });
    an_etag_of_a_small_file_that_climbs_is_refused => fails("`../../../../victim`", |request, _| {
        config_called(request, "\"../../../../victim\"")
    });
    an_etag_that_is_an_absolute_path_is_refused => fails("is neither", |request, place| {
        weights_called(request, Some(&quoted(&place.victim.display().to_string())))
    });
    an_etag_that_climbs_backwards_is_refused => fails("is neither", |request, _| {
        weights_called(request, Some("\"..\\..\\..\\..\\victim\""))
    });
    an_etag_that_climbs_in_disguise_is_refused => fails("is neither", |request, _| {
        weights_called(request, Some("\"%2e%2e%2f%2e%2e%2fvictim\""))
    });
    an_etag_of_two_dots_is_refused => fails("is neither", |request, _| weights_called(request, Some("\"..\"")));
    an_etag_that_names_another_kind_of_file_is_refused => fails("is neither", |request, _| {
        weights_called(request, Some(&quoted(&format!("{WEIGHTS_SHA256}.incomplete"))))
    });
    an_etag_of_raw_bytes_is_refused => fails("`model.safetensors`", |request, _| {
        weights_called(request, Some("\"\u{202e}\u{e9}\u{1b}\""))
    });
    an_etag_of_other_letters_is_refused => fails("is neither", |request, _| {
        weights_called(request, Some("\"\u{202e}\u{e9}\""))
    });
    an_empty_etag_is_refused => fails("is neither", |request, _| weights_called(request, Some("\"\"")));
    a_very_long_etag_is_refused => fails("is neither", |request, _| {
        weights_called(request, Some(&"a".repeat(50_000)))
    });
    a_missing_etag_is_refused => fails("no hash", |request, _| weights_called(request, None));
    a_hash_that_another_server_names_is_refused => fails("no hash", |request, place| {
        let location = format!("http://127.0.0.1:{}/config", place.elsewhere);
        let headers = [("ETag", &*quoted(CONFIG_SHA1))];
        match request.file() {
            Some("config.json") => Some(redirect(&location, &[("X-Repo-Commit", COMMIT)])),
            _ => request.elsewhere.then(|| file(request, CONFIG, &headers)),
        }
    });
    a_weak_etag_is_read => works(|request, _| config_called(request, &format!("W/\"{CONFIG_SHA1}\"")));
    a_hash_of_other_weights_is_refused => fails("SHA-256", |request, _| {
        weights_called(request, Some(&quoted(&"0".repeat(64))))
    });
    weights_of_another_content_are_refused => fails("SHA-256", |request, _| {
        request.path.starts_with("/storage").then(|| file(request, &[7; 20_000], &[]))
    });
    a_configuration_of_another_content_is_refused => fails("`config.json`", |request, _| {
        let headers = [("X-Repo-Commit", COMMIT), ("ETag", &*quoted(CONFIG_SHA1))];
        (request.file() == Some("config.json")).then(|| file(request, &[b' '; 23], &headers))
    });
    a_web_page_instead_of_weights_is_refused => fails("20000 bytes", |request, _| {
        request.path.starts_with("/storage").then(|| whole("200 OK", &[("Content-Type", "text/html")], WEB_PAGE))
    });
    a_web_page_of_unknown_length_instead_of_weights_is_refused => fails("of 20000 bytes", |request, _| {
        request.path.starts_with("/storage").then(|| vec![head("200 OK", &[]), Step::Send(WEB_PAGE.to_vec())])
    });

    // Shards.
    a_shard_that_climbs_is_refused => fails("`model.safetensors.index.json`", |request, _| {
        shards(request, "\"../../../../victim\"")
    });
    a_shard_that_is_an_absolute_path_is_refused => fails("`model.safetensors.index.json`", |request, place| {
        shards(request, &format!("{:?}", place.victim))
    });
    a_shard_with_a_newline_is_refused => fails("`model.safetensors.index.json`", |request, _| {
        shards(request, "\"a\\nb.safetensors\"")
    });
    a_shard_with_a_nul_is_refused => fails("`model.safetensors.index.json`", |request, _| {
        shards(request, "\"a\\u0000b.safetensors\"")
    });
    a_shard_with_a_backslash_is_refused => fails("`model.safetensors.index.json`", |request, _| {
        shards(request, "\"..\\\\victim\"")
    });
    a_shard_with_a_query_is_refused => fails("`model.safetensors.index.json`", |request, _| {
        shards(request, "\"model.safetensors?download=true#top\"")
    });
    a_hidden_shard_is_refused => fails("`model.safetensors.index.json`", |request, _| shards(request, "\".git\""));
    an_empty_shard_is_refused => fails("`model.safetensors.index.json`", |request, _| shards(request, "\"\""));
    a_shard_of_two_dots_is_refused => fails("`model.safetensors.index.json`", |request, _| shards(request, "\"..\""));
    a_shard_with_a_very_long_name_is_refused => fails("`model.safetensors.index.json`", |request, _| {
        shards(request, &quoted(&"a".repeat(100_000)))
    });
    a_shard_that_is_a_number_is_refused => fails("`model.safetensors.index.json`", |request, _| shards(request, "7"));
    an_index_of_endless_shards_is_refused => fails("`model.safetensors.index.json`", |request, _| {
        let names: Vec<_> = (0..20_000).map(|shard| format!("\"{shard}\", \"{shard}\": \"{shard}\"")).collect();
        shards(request, &names.join(", \"_\": "))
    });

    // Redirects.
    a_redirect_to_another_port_is_sent_no_token => works(|request, place| {
        let location = format!("http://127.0.0.1:{}{}", place.elsewhere, request.path);
        (!request.elsewhere && request.path == LIST).then(|| redirect(&location, &[]))
    });
    a_redirect_to_another_host_is_sent_no_token => works(|request, place| {
        let location = format!("http://localhost:{}/storage/weights", place.hub);
        weights_lie_at(request, &location)
    });
    a_redirect_without_a_scheme_is_sent_no_token => works(|request, place| {
        weights_lie_at(request, &format!("//127.0.0.1:{}/storage/weights", place.elsewhere))
    });
    a_redirect_that_pretends_to_be_the_hub_is_sent_no_token => works(|request, place| {
        let location = format!("http://127.0.0.1:{}@127.0.0.1:{}/storage/weights", place.hub, place.elsewhere);
        weights_lie_at(request, &location)
    });
    a_redirect_away_and_back_is_followed => works(|request, place| match &*request.path {
        "/detour" => Some(redirect(&format!("http://127.0.0.1:{}/storage/weights", place.hub), &[])),
        _ => weights_lie_at(request, &format!("http://127.0.0.1:{}/detour", place.elsewhere)),
    });
    a_redirect_to_a_neighbouring_path_is_followed => works(|request, place| match &*request.path {
        "/someone/demo/resolve/neighbour" => Some(honest(&at("/storage/weights", request), place)),
        _ => weights_lie_at(request, "../neighbour"),
    });
    a_redirect_to_a_path_beside_is_followed => works(|request, place| match &*request.path {
        "/someone/demo/resolve/0123456789abcdef0123456789abcdef01234567/weights?signed=yes" => {
            Some(honest(&at("/storage/weights", request), place))
        }
        _ => weights_lie_at(request, "weights?signed=yes#part"),
    });
    a_redirect_of_the_list_to_itself_is_refused => fails("redirects", |request, _| {
        (request.path == LIST).then(|| redirect(LIST, &[]))
    });
    a_redirect_of_a_look_to_itself_is_refused => fails("redirects", |request, _| {
        (request.file() == Some("config.json")).then(|| redirect(&request.path, &[]))
    });
    a_redirect_of_a_file_to_itself_is_refused => fails("redirects", |request, _| {
        request.path.starts_with("/storage").then(|| redirect(&request.path, &[]))
    });
    two_servers_that_redirect_to_each_other_are_refused => fails("redirects", |request, place| {
        let other = if request.elsewhere { place.hub } else { place.elsewhere };
        let location = format!("http://127.0.0.1:{other}/storage/weights");
        request.path.starts_with("/storage").then(|| redirect(&location, &[]))
    });
    redirects_that_never_repeat_are_refused => fails("redirects", |request, _| {
        request.path.starts_with("/storage").then(|| redirect(&format!("{}0", request.path), &[]))
    });
    a_look_that_redirects_to_nowhere_is_refused => fails("to nowhere", |request, _| {
        let headers = [("X-Repo-Commit", COMMIT), ("ETag", &*quoted(CONFIG_SHA1))];
        (request.file() == Some("config.json")).then(|| whole("302 Found", &headers, b""))
    });
    a_file_that_redirects_to_nowhere_is_refused => fails("to nowhere", |request, _| {
        request.path.starts_with("/storage").then(|| status("302 Found"))
    });
    a_list_that_redirects_to_nowhere_is_refused => fails("to nowhere", |request, _| {
        (request.path == LIST).then(|| status("307 Temporary Redirect"))
    });
    a_redirect_to_an_empty_address_is_refused => fails("to nowhere", |request, _| weights_lie_at(request, ""));
    a_redirect_to_a_file_of_the_user_is_refused => fails("`file:///etc/passwd`", |request, _| {
        weights_lie_at(request, "file:///etc/passwd")
    });
    a_redirect_to_a_program_is_refused => fails("allowed: http", |request, _| {
        weights_lie_at(request, "javascript:alert(1)")
    });
    a_redirect_to_raw_bytes_is_refused => fails("`model.safetensors`", |request, _| {
        weights_lie_at(request, "http://\u{1b}[2J\u{202e}/")
    });
    a_redirect_to_other_letters_is_refused => fails("redirects to", |request, _| {
        weights_lie_at(request, "http://\u{202e}\u{e9}/")
    });
    a_redirect_to_a_very_long_address_is_refused => fails("`model.safetensors`", |request, place| {
        let location = format!("http://127.0.0.1:{}/{}", place.elsewhere, "a".repeat(60_000));
        weights_lie_at(request, &location)
    });
    a_redirect_to_a_port_that_nobody_listens_on_is_refused => fails("`model.safetensors`", |request, _| {
        weights_lie_at(request, "http://127.0.0.1:1/")
    });
    a_redirect_to_https_where_there_is_none_is_refused => fails("`model.safetensors`", |request, place| {
        weights_lie_at(request, &format!("https://127.0.0.1:{}/storage/weights", place.elsewhere))
    }).slow();
    a_server_that_drips_a_handshake_is_given_up => fails("`model.safetensors`", |request, place| {
        // The beginning of a message of 16 KiB.
        let handshake = Step::Send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc".to_vec());
        match &*request.method {
            "TLS" => Some(vec![handshake, Step::Drip(vec![3], DRIP)]),
            _ => weights_lie_at(request, &format!("https://127.0.0.1:{}/", place.elsewhere)),
        }
    }).slow();

    // Lengths.
    a_configuration_of_ten_gigabytes_is_refused => fails("10000000000 bytes", |request, _| {
        let headers = [("X-Repo-Commit", COMMIT), ("ETag", &*quoted(CONFIG_SHA1))];
        (request.file() == Some("config.json")).then(|| huge(&headers))
    });
    a_configuration_without_end_is_refused => fails("16777216 bytes", |request, _| {
        let headers = [("X-Repo-Commit", COMMIT), ("ETag", &*quoted(CONFIG_SHA1))];
        (request.file() == Some("config.json")).then(|| endless(&headers))
    });
    weights_of_exabytes_are_refused => fails("18000000000000000000 bytes", |request, place| {
        let etag = quoted(WEIGHTS_SHA256);
        let headers =
            [("X-Repo-Commit", COMMIT), ("X-Linked-Etag", &*etag), ("X-Linked-Size", "18000000000000000000")];
        let location = format!("http://127.0.0.1:{}/storage/weights", place.elsewhere);
        (request.file() == Some("model.safetensors")).then(|| redirect(&location, &headers))
    });
    a_negative_size_is_refused => fails("`-1`", |request, place| sized(request, place, "-1"));
    a_size_that_is_no_number_is_refused => fails("`many`", |request, place| sized(request, place, "many"));
    a_size_beyond_all_numbers_is_refused => fails("99999999999999999999999", |request, place| {
        sized(request, place, "99999999999999999999999")
    });
    weights_longer_than_announced_are_refused => fails("20000 bytes", |request, place| sized(request, place, "19999"));
    weights_shorter_than_announced_are_refused => fails("20000 bytes", |request, place| sized(request, place, "20001"));
    weights_without_end_are_refused => fails("SHA-256", |request, _| {
        request.path.starts_with("/storage").then(|| endless(&[]))
    });
    what_follows_the_weights_is_not_waited_for => works(|request, _| {
        request.path.starts_with("/storage")
            .then(|| vec![head("200 OK", &[]), Step::Send(weights()), Step::Forever(vec![7; 4096])])
    });
    weights_without_end_in_chunks_are_refused => fails("SHA-256", |request, _| {
        request.path.starts_with("/storage").then(|| {
            let chunk = [b"1000\r\n", &[7; 0x1000][..], b"\r\n"].concat();
            vec![head("200 OK", &[("Transfer-Encoding", "chunked")]), Step::Forever(chunk)]
        })
    });
    large_weights_in_chunks_are_refused => fails("in chunks", |request, place| {
        let chunked = || vec![head("200 OK", &[("Transfer-Encoding", "chunked")]), WAIT];
        sized(request, place, "100000000").or_else(|| request.path.starts_with("/storage").then(chunked))
    });
    a_chunk_beyond_all_numbers_is_refused => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| {
            let chunk = b"FFFFFFFFFFFFFFFFFFFF\r\n".to_vec();
            vec![head("200 OK", &[("Transfer-Encoding", "chunked")]), Step::Send(chunk), Step::Forever(vec![7; 4096])]
        })
    });
    a_chunk_whose_length_never_ends_is_refused => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| {
            let headers = head("200 OK", &[("Transfer-Encoding", "chunked")]);
            vec![headers, Step::Send(b"1;".to_vec()), Step::Forever(vec![b'a'; 4096])]
        })
    }).slow();
    a_chunk_whose_length_drips_is_given_up => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| {
            let headers = head("200 OK", &[("Transfer-Encoding", "chunked")]);
            vec![headers, Step::Send(b"1;".to_vec()), Step::Drip(b"a".to_vec(), DRIP)]
        })
    }).slow_in_all();
    trailers_that_drip_are_given_up => fails("`config.json`", |request, _| {
        let headers = [("X-Repo-Commit", COMMIT), ("ETag", &*quoted(CONFIG_SHA1)), ("Transfer-Encoding", "chunked")];
        (request.file() == Some("config.json")).then(|| {
            vec![head("200 OK", &headers), Step::Send(b"0\r\n".to_vec()), Step::Drip(b"a: b\r\n".to_vec(), DRIP)]
        })
    }).slow_in_all();
    trailers_without_end_are_refused => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| {
            let headers = head("200 OK", &[("Transfer-Encoding", "chunked")]);
            vec![headers, Step::Send(b"0\r\n".to_vec()), Step::Forever(b"a: b\r\n".to_vec())]
        })
    }).slow_in_all();
    weights_of_unknown_length_are_believed_for_their_hash => works(|request, _| {
        request.path.starts_with("/storage").then(|| vec![head("200 OK", &[]), Step::Send(weights())])
    });
    a_file_of_unknown_length_is_believed_for_its_hash => works(|request, _| {
        let headers = [("X-Repo-Commit", COMMIT), ("ETag", &*quoted(CONFIG_SHA1))];
        (request.file() == Some("config.json")).then(|| vec![head("200 OK", &headers), Step::Send(CONFIG.to_vec())])
    });
    weights_with_a_negative_length_are_refused => fails("`model.safetensors`", |request, _| {
        weights_of_length(request, "-1")
    });
    weights_with_a_length_beyond_all_numbers_are_refused => fails("`model.safetensors`", |request, _| {
        weights_of_length(request, "99999999999999999999999")
    });
    weights_with_two_lengths_are_refused => fails("`model.safetensors`", |request, _| {
        weights_of_length(request, "20000\r\nContent-Length: 19999")
    });
    weights_that_end_early_are_refused => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| {
            vec![head("200 OK", &[("Content-Length", "20000")]), Step::Send(weights()[..10_000].to_vec())]
        })
    });
    weights_that_unpack_to_a_bomb_are_refused => fails("gzip", |request, _| {
        request.path.starts_with("/storage").then(bomb)
    });

    // Time.
    a_hub_that_never_answers_is_given_up => fails("the list of files", |request, _| {
        (request.path == LIST).then(|| vec![WAIT])
    }).slow();
    a_hub_that_stops_within_headers_is_given_up => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json")).then(|| vec![Step::Send(b"HTTP/1.1 200 OK\r\nETag: \"39".to_vec()), WAIT])
    }).slow();
    a_hub_that_drips_headers_is_given_up => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json"))
            .then(|| vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Step::Drip(b"a: b\r\n".to_vec(), DRIP)])
    }).slow();
    a_hub_that_promises_an_answer_for_ever_is_given_up => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json"))
            .then(|| vec![Step::Drip(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), Duration::from_millis(2))])
    }).slow();
    a_hub_that_floods_with_promises_is_given_up => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json"))
            .then(|| vec![Step::Forever(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100))])
    }).slow();
    a_file_that_stops_before_its_content_is_given_up => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| vec![head("200 OK", &[("Content-Length", "20000")]), WAIT])
    }).slow();
    a_file_that_stops_within_its_content_is_given_up => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| {
            let half = Step::Send(weights()[..10_000].to_vec());
            vec![head("200 OK", &[("Content-Length", "20000")]), half, WAIT]
        })
    }).slow();
    a_file_that_drips_is_given_up => fails("too slow", |request, _| {
        request.path.starts_with("/storage")
            .then(|| vec![head("200 OK", &[("Content-Length", "20000")]), Step::Drip(weights(), DRIP)])
    }).slow();
    a_file_that_drips_in_chunks_is_given_up => fails("too slow", |request, _| {
        request.path.starts_with("/storage").then(|| {
            vec![head("200 OK", &[("Transfer-Encoding", "chunked")]), Step::Drip(b"1\r\n7\r\n".to_vec(), DRIP)]
        })
    }).slow();
    a_list_that_drips_is_given_up => fails("too slow", |request, _| {
        (request.path == LIST).then(|| vec![head("200 OK", &[]), Step::Drip(b" ".to_vec(), DRIP)])
    }).slow();
    a_redirect_whose_content_never_comes_is_followed => works(|request, place| {
        let location = format!("http://127.0.0.1:{}/storage/weights", place.elsewhere);
        request.gets("model.safetensors").then(|| {
            vec![head("302 Found", &[("Location", &location), ("Content-Length", "1000000")]), WAIT]
        })
    }).slow();

    // Connections that break.
    a_connection_that_breaks_before_an_answer_is_an_error => fails("the list of files", |request, _| {
        (request.path == LIST).then(|| vec![Step::Reset])
    });
    a_connection_that_breaks_within_headers_is_an_error => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json")).then(|| vec![Step::Send(b"HTTP/1.1 200 OK\r\nETa".to_vec()), Step::Reset])
    });
    a_connection_that_breaks_within_the_list_is_an_error => fails("the list of files", |request, _| {
        (request.path == LIST)
            .then(|| vec![head("200 OK", &[("Content-Length", "100")]), Step::Send(b"{".to_vec()), Step::Reset])
    });
    a_connection_that_breaks_within_a_file_is_an_error => fails("`model.safetensors`", |request, _| {
        request.path.starts_with("/storage").then(|| {
            let half = Step::Send(weights()[..10_000].to_vec());
            vec![head("200 OK", &[("Content-Length", "20000")]), half, Step::Reset]
        })
    });
    a_connection_that_is_closed_at_once_is_an_error => fails("the list of files", |request, _| {
        (request.path == LIST).then(Vec::new)
    });

    // Downloads that go on where an earlier one ended.
    a_download_goes_on_where_it_ended => works(|request, _| {
        (request.path.starts_with("/storage") && request.from() != Some(10_000)).then(|| status("500 No Range"))
    }).after(half);
    a_download_that_was_all_there_is_not_asked_for => works(|request, _| {
        request.path.starts_with("/storage").then(|| status("500 Not Needed"))
    }).after(weights);
    a_server_that_sends_all_instead_of_the_rest_is_believed => works(|request, _| {
        request.path.starts_with("/storage").then(|| whole("200 OK", &[], &weights()))
    }).after(half);
    a_server_that_sends_another_part_is_refused => fails("bytes 0-9999/20000", |request, _| {
        let part = || whole("206 Partial Content", &[("Content-Range", "bytes 0-9999/20000")], &weights()[..10_000]);
        request.path.starts_with("/storage").then(part)
    }).after(half);
    a_server_that_sends_a_part_of_something_longer_is_refused => fails("bytes 10000-19999/30000", |request, _| {
        let part =
            || whole("206 Partial Content", &[("Content-Range", "bytes 10000-19999/30000")], &weights()[10_000..]);
        request.path.starts_with("/storage").then(part)
    }).after(half);
    a_server_that_does_not_say_which_part_it_sends_is_refused => fails("Content-Range", |request, _| {
        request.path.starts_with("/storage").then(|| whole("206 Partial Content", &[], &weights()[10_000..]))
    }).after(half);
    a_server_that_sends_a_part_of_what_was_asked_for_whole_is_refused => fails("206", |request, _| {
        let part = || whole("206 Partial Content", &[("Content-Range", "bytes 0-9999/20000")], &weights()[..10_000]);
        request.path.starts_with("/storage").then(part)
    });
    a_server_that_has_no_such_part_is_asked_for_all => works(|request, _| {
        (request.path.starts_with("/storage") && request.from().is_some()).then(|| status("416 Range Not Satisfiable"))
    }).after(half);
    a_server_that_has_no_such_part_of_anything_is_refused => fails("416", |request, _| {
        request.path.starts_with("/storage").then(|| status("416 Range Not Satisfiable"))
    }).after(half);
    a_wrong_beginning_is_thrown_away => works(|_, _| None).after(|| vec![7; 10_000]);
    a_wrong_whole_is_thrown_away => works(|_, _| None).after(|| vec![7; 20_000]);
    something_longer_than_the_file_is_thrown_away => works(|_, _| None).after(|| vec![7; 30_000]);
    a_wrong_beginning_and_a_wrong_rest_are_refused => fails("SHA-256", |request, _| {
        request.path.starts_with("/storage").then(|| file(request, &[7; 20_000], &[]))
    }).after(half);

    // What else a server may say.
    a_status_of_401_is_an_error => fails("401", |request, _| (request.path == LIST).then(|| status("401 Unauthorized")));
    a_status_of_403_is_an_error => fails("403", |request, _| {
        (request.file() == Some("config.json")).then(|| status("403 Forbidden"))
    });
    a_status_of_404_is_an_error => fails("404", |request, _| {
        (request.file() == Some("config.json")).then(|| status("404 Not Found"))
    });
    a_status_of_429_is_an_error => fails("429", |request, _| (request.path == LIST).then(|| status("429 Too Many Requests")));
    a_status_of_500_is_an_error => fails("500", |request, _| {
        request.path.starts_with("/storage").then(|| status("500 Internal Server Error"))
    });
    a_status_of_503_with_a_web_page_is_an_error => fails("503", |request, _| {
        (request.path == LIST).then(|| whole("503 Service Unavailable", &[], WEB_PAGE))
    });
    a_status_of_204_is_an_error => fails("204", |request, _| {
        request.path.starts_with("/storage").then(|| vec![head("204 No Content", &[])])
    });
    a_status_of_304_is_an_error => fails("304", |request, _| {
        request.path.starts_with("/storage").then(|| vec![head("304 Not Modified", &[])])
    });
    a_status_that_is_none_is_an_error => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json")).then(|| vec![Step::Send(b"HTTP/1.1 -7 \x1b[2J\r\n\r\n".to_vec())])
    });
    something_that_is_not_http_is_an_error => fails("the list of files", |request, _| {
        (request.path == LIST).then(|| vec![Step::Send(b"220 ftp.example.org \x1b]0;owned\x07\r\n".to_vec())])
    });
    thousands_of_headers_are_an_error => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json")).then(|| {
            let headers: Vec<_> = (0..5_000).map(|number| format!("X-{number}: {number}\r\n")).collect();
            vec![Step::Send(format!("HTTP/1.1 200 OK\r\n{}\r\n", headers.concat()).into_bytes())]
        })
    });
    a_header_without_end_is_an_error => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json"))
            .then(|| vec![Step::Send(b"HTTP/1.1 200 OK\r\nETag: ".to_vec()), Step::Forever(vec![b'a'; 4096])])
    });
    a_header_without_a_name_is_an_error => fails("`config.json`", |request, _| {
        (request.file() == Some("config.json")).then(|| vec![Step::Send(b"HTTP/1.1 200 OK\r\n: \x00\x1b\r\n\r\n".to_vec())])
    });
}

const FILES: &[&str] = &["config.json", "model.safetensors", "tokenizer.json"];
const WEB_PAGE: &[u8] = b"<!doctype html><title>Sign in to the guest network</title>\x1b[2J";
const DRIP: Duration = Duration::from_millis(20);
/// Longer than anybody waits.
const WAIT: Step = Step::Wait(Duration::from_secs(60));

/// A path of so many letters, an even number, from a directory of the cache to the victim.
fn climbing(letters: usize) -> String {
    let up = "../../../../victim";
    "./".repeat((letters - up.len()) / 2) + up
}

fn half() -> Vec<u8> {
    weights()[..10_000].to_vec()
}

fn raw_list(commit: &str) -> Reply {
    let body = format!("{{\"id\": {MODEL:?}, \"sha\": {commit}, \"siblings\": []}}");
    whole("200 OK", &[], body.as_bytes())
}

/// Ten gigabytes, of which a part comes.
fn huge(headers: &[(&str, &str)]) -> Reply {
    let headers = [headers, &[("Content-Length", "10000000000")]].concat();
    vec![head("200 OK", &headers), Step::Forever(vec![b' '; 65_536])]
}

/// Bytes until the client has enough.
fn endless(headers: &[(&str, &str)]) -> Reply {
    vec![head("200 OK", headers), Step::Forever(vec![b' '; 65_536])]
}

/// Zeros without end, compressed to less than a hundredth.
fn bomb() -> Reply {
    let beginning = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x62\x18".to_vec();
    let more = b"\x05\xa3\x60\x14\x8c\x82\x51\x30\x0a\x46\xc1\x28\x18".repeat(1000);
    let headers = head("200 OK", &[("Content-Encoding", "gzip")]);
    vec![headers, Step::Send(beginning), Step::Forever(more)]
}

fn at(path: &str, request: &Request) -> Request {
    Request { path: path.to_owned(), ..request.clone() }
}

/// The weights, under this name for their content.
fn weights_called(request: &Request, etag: Option<&str>) -> Option<Reply> {
    let mut headers = vec![("X-Repo-Commit", COMMIT)];
    headers.extend(etag.map(|etag| ("ETag", etag)));
    (request.file() == Some("model.safetensors")).then(|| file(request, &weights(), &headers))
}

fn config_called(request: &Request, etag: &str) -> Option<Reply> {
    let headers = [("X-Repo-Commit", COMMIT), ("ETag", etag)];
    (request.file() == Some("config.json")).then(|| file(request, CONFIG, &headers))
}

/// A redirect to where the weights are said to lie.
fn weights_lie_at(request: &Request, location: &str) -> Option<Reply> {
    let etag = quoted(WEIGHTS_SHA256);
    let headers =
        [("X-Repo-Commit", COMMIT), ("X-Linked-Etag", &*etag), ("X-Linked-Size", "20000")];
    (request.file() == Some("model.safetensors")).then(|| redirect(location, &headers))
}

/// Weights of this size, as the hub says.
fn sized(request: &Request, place: &Place, size: &str) -> Option<Reply> {
    let etag = quoted(WEIGHTS_SHA256);
    let headers = [("X-Repo-Commit", COMMIT), ("X-Linked-Etag", &*etag), ("X-Linked-Size", size)];
    let location = format!("http://127.0.0.1:{}/storage/weights", place.elsewhere);
    (request.file() == Some("model.safetensors")).then(|| redirect(&location, &headers))
}

/// Weights of this length, as their server says.
fn weights_of_length(request: &Request, length: &str) -> Option<Reply> {
    request
        .path
        .starts_with("/storage")
        .then(|| vec![head("200 OK", &[("Content-Length", length)]), Step::Send(weights())])
}

/// An index that names these shards, in JSON.
fn shards(request: &Request, names: &str) -> Option<Reply> {
    if request.path == LIST {
        return Some(list(
            COMMIT,
            &["config.json", "model.safetensors.index.json", "tokenizer.json"],
        ));
    }
    let index = format!("{{\"weight_map\": {{\"_\": {names}}}}}");
    let etag = quoted(&git_sha1(index.as_bytes()));
    let headers = [("X-Repo-Commit", COMMIT), ("ETag", &*etag)];
    (request.file() == Some("model.safetensors.index.json"))
        .then(|| file(request, index.as_bytes(), &headers))
}

fn git_sha1(content: &[u8]) -> String {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    let object = [format!("blob {}\0", content.len()).as_bytes(), content].concat();
    digest(&SHA1_FOR_LEGACY_USE_ONLY, &object)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
